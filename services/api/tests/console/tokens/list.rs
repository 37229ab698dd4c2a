//! The list: filters, pages and what is shown of each token.

use serde_json::json;

use crate::support::Client;

use super::{HOSTILE, between, comes_to, has, has_not, led, shown, text, with_account};

/// The names in the rows of a list.
fn names(page: &str) -> Vec<&str> {
    let cells = between(page, r#"<td class="name"><a href=""#, "</a>");
    let names = cells.into_iter().filter_map(|cell| cell.split_once('>'));
    names.map(|(_, name)| name).collect()
}

#[tokio::test]
async fn who_has_no_token_is_told_how_to_get_one() {
    let (_site, _, user) = with_account().await;
    let page = shown(user.get("/console/tokens").await);
    has(&page, "No token yet");
    has(&page, r#"href="/console/tokens/new""#);
    let page = shown(user.get("/console/tokens?search=nothing").await);
    has(&page, "No token matches");
    has(&page, "name holds “nothing”");
}

#[tokio::test]
async fn filters_are_in_the_address_and_narrow_the_list() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let month = json!({ "name": "month", "expires_in_minutes": 20 * 24 * 60 });
    let test = json!({ "name": "Trial", "environment": "test", "scopes": ["a:b"] });
    let made = operator.issue(&account, month).await;
    operator.issue(&account, test).await;
    let hostile = operator.issue(&account, json!({ "name": HOSTILE })).await;
    let path = format!("/v1/tokens/{}/suspend", text(&hostile, "id"));
    operator.post(&path, json!({})).await.expect(200);

    let listed = async |query: &str| {
        let page = shown(user.get(&format!("/console/tokens?{query}")).await);
        has_not(&page, "<script>alert");
        has_not(&page, "<b>\"");
        names(&page).join("|")
    };
    let escaped = "&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62;&#39; &#38; &#60;b&#62;";
    let all = format!("{escaped}|Trial|month");
    assert_eq!(listed("").await, all);
    assert_eq!(listed("state=&environment=&search=&sort=").await, all);
    assert_eq!(listed("search=TRI").await, "Trial");
    assert_eq!(listed("environment=test").await, "Trial");
    assert_eq!(listed("scope=a%3Ab").await, "Trial");
    assert_eq!(listed("state=suspended").await, escaped);
    assert_eq!(listed("expiring=30d").await, "month");
    assert_eq!(listed("expiring=7d").await, "");
    assert_eq!(listed("unused=30d").await, "");
    assert_eq!(listed("unused=never").await, all);
    assert_eq!(listed("sort=name").await, format!("{escaped}|month|Trial"));
    assert_eq!(listed("sort=-name").await, format!("Trial|month|{escaped}"));
    assert_eq!(
        listed("sort=created_at").await,
        format!("month|Trial|{escaped}")
    );
    assert_eq!(
        listed("sort=expires_at").await.split('|').next(),
        Some("month")
    );
    assert_eq!(listed("sort=name&search=tri").await, "Trial");
    let prefix = text(&made, "token_prefix");
    assert_eq!(listed(&format!("prefix={prefix}")).await, "month");
    // A user's list is of one account, whatever the address names.
    assert_eq!(listed("account=another").await, all);

    let (status, _, page) = user.get("/console/tokens?state=strange").await;
    assert_eq!(status, 400);
    has(&page, r#"role="alert""#);
    has(&page, r#"<option value="strange" selected>"#);
}

#[tokio::test]
async fn what_cannot_be_read_is_told_beside_its_field_and_looked_for_nowhere() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let token = operator.issue(&account, json!({ "name": "month" })).await;
    for (field, value) in [
        ("expiring", "soon"),
        ("expiring", "99999d"),
        ("unused", "long"),
        ("unused", "0d"),
    ] {
        let query = format!("{field}={value}");
        let (status, _, page) = user.get(&format!("/console/tokens?{query}")).await;
        assert_eq!(status, 400, "{query}: {page}");
        has(
            &page,
            &format!(r#"<p class="complaint" id="{field}-complaint">"#),
        );
        has(&page, &format!(r#"aria-describedby="{field}-complaint""#));
        has(&page, &format!(r#"<option value="{value}" selected>"#));
        has(&page, "No tokens were looked for");
        assert_eq!(names(&page).len(), 0, "{query}: {page}");
        // Nor does it widen what is revoked together: the other filters would be left.
        let path = format!("/console/tokens/bulk?search=month&{query}");
        let (status, _, page) = user.get(&path).await;
        assert_eq!(status, 400, "{path}: {page}");
        has_not(&page, "Make the dry run");
        let fields = [("key", "k"), ("search", "month"), (field, value)];
        let (status, _, page) = user.post("/console/tokens/bulk", &fields).await;
        assert_eq!(status, 400, "{query}: {page}");
        has_not(&page, r#"id="count""#);
    }
    comes_to(&operator, text(&token, "token"), "VALID").await;
}

#[tokio::test]
async fn pages_go_on_and_back() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    for number in 0..120 {
        let name = format!("token {number:03}");
        operator.issue(&account, json!({ "name": name })).await;
    }
    there_and_back(&user, "/console/tokens?search=token", |all| all.reverse()).await;
    there_and_back(&user, "/console/tokens?search=token&sort=name", |_| {}).await;
    there_and_back(
        &user,
        "/console/tokens?search=token&sort=last_used_at",
        |_| {},
    )
    .await;
}

/// Goes through 120 tokens page by page, and back to where it began.
async fn there_and_back(user: &Client, first: &str, turn: impl Fn(&mut Vec<String>)) {
    let mut path = first.to_owned();
    let mut pages = Vec::new();
    let mut seen = Vec::new();
    loop {
        let page = shown(user.get(&path).await);
        seen.extend(names(&page).into_iter().map(ToOwned::to_owned));
        let next = between(&page, r#"<a class="button" href=""#, r#"" rel="next""#);
        let next = next.last().filter(|_| page.contains(r#"rel="next""#));
        let next = next.map(|href| href.rsplit('"').next().unwrap_or_default());
        let next = next.map(|href| href.replace("&#38;", "&"));
        pages.push(page);
        match next {
            Some(next) => path = next,
            None => break,
        }
    }
    assert_eq!(pages.len(), 3);
    let mut expected: Vec<_> = (0..120).map(|it| format!("token {it:03}")).collect();
    turn(&mut expected);
    assert_eq!(seen, expected, "{first}");

    // And back to where it began.
    for page in pages.iter().rev().skip(1) {
        let shown_now = shown(user.get(&path).await);
        let back = between(&shown_now, r#"href=""#, r#"" rel="prev""#);
        let back = back.last().and_then(|it| it.rsplit('"').next());
        path = back.expect("a way back").replace("&#38;", "&");
        assert_eq!(names(&shown(user.get(&path).await)), names(page));
    }
    assert_eq!(path, first);
}

#[tokio::test]
async fn the_heads_of_columns_sort_the_list_and_keep_the_filters() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let mut used = Vec::new();
    for name in ["one", "two", "three", "four"] {
        used.push(operator.issue(&account, json!({ "name": name })).await);
    }
    for (token, days) in [(&used[0], 100), (&used[1], 1)] {
        sqlx::query(
            "insert into api_token_usage_totals (token_id, usage_count, last_used_at)
            values ($1::uuid, 1, now() - make_interval(days => $2))",
        )
        .bind(text(token, "id"))
        .bind(days)
        .execute(&site.pool)
        .await
        .expect("it is written");
    }
    let mut path = "/console/tokens?search=o".to_owned();
    // Each click leads to the head's page: how it is sorted then, and what it shows.
    for (label, direction, shown_then) in [
        ("Name", "ascending", "four|one|two"),
        ("Name", "descending", "two|one|four"),
        ("Last used", "descending", "two|one|four"),
        ("Last used", "ascending", "one|two|four"),
        ("Created", "descending", "four|two|one"),
        ("Created", "ascending", "one|two|four"),
        ("Expires", "ascending", "one|two|four"),
    ] {
        let page = shown(user.get(&path).await);
        path = head(&page, label).1;
        assert!(path.starts_with("/console/tokens?search=o"), "{path}");
        let page = shown(user.get(&path).await);
        assert_eq!(head(&page, label).0.as_deref(), Some(direction), "{path}");
        assert_eq!(between(&page, "aria-sort=", " ").len(), 1, "{path}");
        assert_eq!(names(&page).join("|"), shown_then, "{path}");
    }
    // And the form keeps the order.
    has(
        &shown(user.get(&path).await),
        r#"<input type="hidden" name="sort" value="expires_at">"#,
    );

    let listed = async |query: &str| {
        let page = shown(user.get(&format!("/console/tokens?{query}")).await);
        names(&page).join("|")
    };
    assert_eq!(listed("unused=never").await, "four|three");
    assert_eq!(listed("unused=never&sort=name").await, "four|three");
    assert_eq!(listed("unused=never&sort=created_at").await, "three|four");
    // What was never used is younger.
    let page = shown(
        user.get("/console/tokens?unused=90d&sort=last_used_at")
            .await,
    );
    has(&page, "was not used for 90 days");
    assert_eq!(names(&page).join("|"), "one");
}

/// How the list is sorted by this column, and where its head leads.
#[track_caller]
fn head(page: &str, label: &str) -> (Option<String>, String) {
    let heads = between(page, r#"<th scope="col""#, "</a></th>").into_iter();
    let heads = heads
        .filter_map(|head| head.rsplit_once("<a href=\""))
        .collect::<Vec<_>>();
    let found = heads
        .iter()
        .find(|(_, link)| link.ends_with(&format!(">{label}")));
    let (before, link) = found.unwrap_or_else(|| panic!("no {label} in:\n{page}"));
    let direction = between(before, r#"aria-sort=""#, "\"");
    let href = link.split('"').next().unwrap_or_default();
    let direction = direction.last().map(ToString::to_string);
    (direction, href.replace("&#38;", "&"))
}

#[tokio::test]
async fn operators_see_all_and_find_an_account_by_its_name() {
    let (site, account, _) = with_account().await;
    let operator = site.api.operator();
    let other = operator.account("crm-2").await;
    operator.issue(&account, json!({ "name": "first" })).await;
    operator.issue(&other, json!({ "name": "second" })).await;
    let client = site.operator().await.client();
    let listed = async |query: &str| {
        let page = shown(client.get(&format!("/console/tokens?{query}")).await);
        names(&page).join("|")
    };
    assert_eq!(listed("").await, "second|first");
    assert_eq!(listed("account=crm-1").await, "first");
    assert_eq!(listed(&format!("account={other}")).await, "second");
    assert_eq!(listed("account=crm-3").await, "");
    let page = shown(client.get("/console/tokens?account=crm-2").await);
    has(&page, r#"href="/console/tokens/new?account=crm-2""#);
}

#[tokio::test]
async fn a_hundred_scopes_are_cut_in_the_list_and_whole_on_the_page() {
    let (_site, _, user) = with_account().await;
    let scopes: Vec<String> = (0..100).map(|number| format!("area:{number:03}")).collect();
    let key = "a-key-for-a-hundred-scopes";
    let scopes = scopes.join("\n");
    let fields = [
        ("key", key),
        ("name", "many"),
        ("environment", "live"),
        ("scopes", &scopes),
    ];
    let page = shown(user.post("/console/tokens/new", &fields).await);
    has(&page, "Token issued");
    let page = shown(user.get("/console/tokens").await);
    has(&page, "and 97 more");
    let href = between(&page, r#"<td class="name"><a href=""#, "\"");
    let page = shown(user.get(href[0]).await);
    assert_eq!(between(&page, "<li><code>area:", "</code>").len(), 100);
    // One more is refused, and stays in the form.
    let more = format!("{scopes}\narea:100");
    let fields = [
        ("key", "b"),
        ("name", "more"),
        ("environment", "live"),
        ("scopes", &more),
    ];
    let (status, _, page) = user.post("/console/tokens/new", &fields).await;
    assert_eq!(status, 422);
    has(&page, "area:100");
    has(&page, r#"id="scopes-complaint""#);
}

#[tokio::test]
async fn who_is_not_signed_in_is_led_to_the_sign_in() {
    let (site, ..) = with_account().await;
    let stranger = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client");
    for path in ["/console/tokens", "/console/tokens/new"] {
        let url = format!("{}{path}", site.base());
        let answer = stranger.get(url).send().await.expect("an answer");
        let got = (
            answer.status().as_u16(),
            answer.headers().clone(),
            String::new(),
        );
        assert!(led(got).starts_with("/console/sign-in?next=%2Fconsole%2Ftokens"));
    }
}
