//! The pages by which operators look after who may sign in.

use super::guest::Guest;
use super::{PASSWORD, member, sql};
use crate::support::Site;

const OPERATOR: &str = "operator@example.org";

fn link_in(page: &str) -> &str {
    let (_, rest) = page
        .split_once(r#"<code id="link">"#)
        .unwrap_or_else(|| panic!("{page}"));
    rest.split('<').next().unwrap()
}

#[tokio::test]
async fn an_operator_adds_people_and_hands_links_over() {
    let site = Site::start().await;
    let api = site.api.operator();
    let account = api.account("shop").await;
    let operator = member(&site, OPERATOR, None).await;
    for (email, role, name) in [
        ("ada@example.org", "operator", ""),
        ("by-id@example.org", "user", account.as_str()),
        ("by-name@example.org", "user", "shop"),
    ] {
        let fields = [("email", email), ("role", role), ("account", name)];
        let got = operator.submit("/console/people", &fields).await;
        assert_eq!(got.status, 200, "{}", got.text);
        assert_eq!(got.headers["cache-control"], "no-store");
        let link = link_in(&got.text).to_owned();
        let path = link
            .strip_prefix(&site.base())
            .expect("the origin of the form");
        let guest = Guest::of(&site);
        assert_eq!(guest.choose(path, PASSWORD).await.status, 303);
        let you = guest.get("/console/you").await.text;
        assert!(you.contains(email), "{you}");
        assert_eq!(you.contains(&account), role == "user", "{you}");
        assert_eq!(you.contains("/console/people"), role == "operator", "{you}");
    }
    let list = operator.get("/console/people").await.text;
    for part in [
        "ada@example.org",
        "by-id@example.org",
        "by-name@example.org",
        &account,
    ] {
        assert!(list.contains(part), "{part}: {list}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_said_beside_its_field() {
    let site = Site::start().await;
    let operator = member(&site, OPERATOR, None).await;
    for (fields, complaint) in [
        (
            [("email", "ada"), ("role", "operator"), ("account", "")],
            "email-complaint",
        ),
        (
            [
                ("email", "OPERATOR@example.org"),
                ("role", "operator"),
                ("account", ""),
            ],
            "is here already",
        ),
        (
            [("email", "a@b"), ("role", "user"), ("account", "")],
            "account-complaint",
        ),
        (
            [("email", "a@b"), ("role", "user"), ("account", "no-such")],
            "account-complaint",
        ),
        (
            [
                ("email", "a@b"),
                ("role", "user"),
                ("account", "019aa5d0-1f2e-7a10-9c3b-5d6e7f809101"),
            ],
            "account-complaint",
        ),
    ] {
        let got = operator.submit("/console/people", &fields).await;
        assert_eq!(got.status, 422, "{fields:?}");
        assert!(got.text.contains(complaint), "{fields:?}: {}", got.text);
        assert!(got.text.contains(fields[0].1), "what was typed stays");
    }
    let hostile = r#""><script>alert(1)</script>@example.org"#;
    let fields = [("email", hostile), ("role", "operator"), ("account", "")];
    let got = operator.submit("/console/people", &fields).await;
    assert_eq!(got.status, 200);
    assert!(!got.text.contains("<script>alert"), "{}", got.text);
    let list = operator.get("/console/people").await.text;
    assert!(
        !list.contains("<script>alert") && list.contains("&#60;script&#62;"),
        "{list}"
    );
}

#[tokio::test]
async fn who_is_disabled_is_out_until_they_are_enabled() {
    let site = Site::start().await;
    let operator = member(&site, OPERATOR, None).await;
    let ada = member(&site, "ada@example.org", None).await;
    let id = async |email: &str| -> uuid::Uuid {
        let found = sqlx::query_scalar("select id from console_people where email = $1");
        found
            .bind(email.to_owned())
            .fetch_one(&site.pool)
            .await
            .unwrap()
    };
    let path = format!("/console/people/{}", id("ada@example.org").await);
    let got = operator.submit(&format!("{path}/disable"), &[]).await;
    assert_eq!(got.location(), "/console/people?done=disabled");
    assert!(!ada.is_in().await);
    assert_eq!(ada.sign_in("ada@example.org", PASSWORD).await.status, 403);
    let got = operator.submit(&format!("{path}/link"), &[]).await;
    assert_eq!(got.status, 409);
    let got = operator.submit(&format!("{path}/enable"), &[]).await;
    assert_eq!(got.location(), "/console/people?done=enabled");
    // The session does not come back, the password does.
    assert!(!ada.is_in().await);
    assert_eq!(ada.sign_in("ada@example.org", PASSWORD).await.status, 303);

    let own = format!("/console/people/{}/disable", id(OPERATOR).await);
    assert_eq!(operator.submit(&own, &[]).await.status, 409);
    assert!(operator.is_in().await);
    let nobody = "/console/people/019aa5d0-1f2e-7a10-9c3b-5d6e7f809101";
    for change in ["disable", "enable", "link"] {
        let got = operator.submit(&format!("{nobody}/{change}"), &[]).await;
        assert_eq!(got.status, 404, "{change}");
    }
}

#[tokio::test]
async fn holders_of_an_account_look_after_nobody() {
    let site = Site::start().await;
    let account = site.api.operator().account("shop").await;
    let holder = member(&site, "holder@example.org", Some(account.parse().unwrap())).await;
    let id: uuid::Uuid = sqlx::query_scalar("select id from console_people")
        .fetch_one(&site.pool)
        .await
        .unwrap();
    for page in ["/console/people", "/console/people/new"] {
        let got = holder.get(page).await;
        assert_eq!(got.status, 403, "{page}");
        assert!(got.text.contains("NOT_OPERATOR"), "{}", got.text);
    }
    let fields = [
        ("email", "more@example.org"),
        ("role", "operator"),
        ("account", ""),
    ];
    assert_eq!(holder.submit("/console/people", &fields).await.status, 403);
    for change in ["disable", "enable", "link"] {
        let got = holder
            .submit(&format!("/console/people/{id}/{change}"), &[])
            .await;
        assert_eq!(got.status, 403, "{change}");
    }
    let people: i64 = sqlx::query_scalar("select count(*) from console_people")
        .fetch_one(&site.pool)
        .await
        .unwrap();
    assert_eq!(people, 1);
}

#[tokio::test]
async fn many_people_are_on_several_pages() {
    let site = Site::start().await;
    let operator = member(&site, OPERATOR, None).await;
    super::sql(
        &site,
        "insert into console_people (id, email, role, created_at)
        select gen_random_uuid(), 'p' || to_char(n, 'FM000') || '+x@example.org', 'operator', now()
        from generate_series(1, 150) as n",
    )
    .await;
    let first = operator.get("/console/people").await.text;
    assert!(first.contains("p099+x@example.org") && !first.contains("p100+x@example.org"));
    let (_, rest) = first.split_once(r#"href="/console/people?after="#).unwrap();
    let after = rest.split('"').next().unwrap();
    let second = operator
        .get(&format!("/console/people?after={after}"))
        .await
        .text;
    assert!(!second.contains("p099+x@example.org") && second.contains("p150+x@example.org"));
    assert!(!second.contains("Next page") && second.contains("First page"));
}

#[tokio::test]
async fn people_are_found_by_their_address_and_their_account() {
    let site = Site::start().await;
    let api = site.api.operator();
    let fields = serde_json::json!({ "name": "Lindgren & Söner", "external_id": "customer-4720" });
    let account = api.post("/v1/accounts", fields).await.expect(201);
    let account = account["id"].as_str().unwrap();
    let operator = member(&site, OPERATOR, None).await;
    member(&site, "holder@shop.example", account.parse().ok()).await;
    let more = "insert into console_people (id, email, role, created_at)
        select gen_random_uuid(), 'p' || lpad(n::text, 3, '0') || '@many.example', 'operator', now()
        from generate_series(1, 150) as n";
    assert_eq!(sql(&site, more).await, 150);
    let search = async |q: &str| {
        let got = operator.get(&format!("/console/people?q={q}")).await;
        assert_eq!(got.status, 200, "{q}: {}", got.text);
        got.text
    };
    let rows = |page: &str| page.matches(r#"<th scope="row""#).count();
    for q in [
        "HOLDER",
        "shop.example",
        "s%C3%B6ner",
        "lindgren+%26",
        "customer-4720",
        account,
        "+holder+",
    ] {
        let page = search(q).await;
        assert_eq!(rows(&page), 1, "{q}: {page}");
        assert!(page.contains("holder@shop.example"), "{q}: {page}");
        assert!(page.contains("Lindgren &#38; Söner"), "{q}: {page}");
    }
    // Nothing is a pattern.
    for q in ["%25", "_", "customer-472", "%3Cscript%3E", "%27"] {
        let page = search(q).await;
        assert_eq!(rows(&page), 0, "{q}: {page}");
        assert!(page.contains("Nobody like this"), "{q}: {page}");
        assert!(!page.contains("<script>"), "{q}: {page}");
    }
    assert_eq!(rows(&search("").await), 100);
    // The search goes along to the next page.
    let first = search("MANY.example").await;
    assert_eq!(rows(&first), 100);
    assert!(first.contains(r#"value="MANY.example""#), "{first}");
    let (_, next) = first.split_once(r#"<nav class="pager""#).unwrap();
    let next = next
        .split('"')
        .find(|it| it.starts_with("/console/people?"));
    let next = next.unwrap().replace("&#38;", "&");
    let second = operator.get(&next).await.text;
    assert_eq!(rows(&second), 50);
    assert!(!second.contains("holder@shop.example"), "{second}");
}
