//! Many tokens at once: counted first, then revoked by whoever says how many they are.

use serde_json::{Value, json};
use tollkeeper_testkit::wait_for;

use super::{between, comes_to, field, has, has_not, led, page_of, shown, text, with_account};

async fn three(operator: &tollkeeper_testkit::stack::Person, account: &str) -> (Vec<Value>, Value) {
    let mut tokens = Vec::new();
    for number in 0..3 {
        let body = json!({ "name": format!("old {number}"), "scopes": ["old:one"] });
        tokens.push(operator.issue(account, body).await);
    }
    let kept = operator.issue(account, json!({ "name": "kept" })).await;
    (tokens, kept)
}

#[tokio::test]
async fn what_a_filter_matches_is_planned_and_then_revoked() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let (tokens, kept) = three(&operator, &account).await;
    let list = shown(user.get("/console/tokens?scope=old%3Aone").await);
    has(&list, r#"href="/console/tokens/bulk?scope=old%3Aone""#);
    let ask = shown(user.get("/console/tokens/bulk?scope=old%3Aone").await);
    has(&ask, "holds the scope old:one");
    let key = field(&ask, "key");
    let fields = [
        ("key", key.as_str()),
        ("scope", "old:one"),
        ("reason", "superseded"),
    ];
    let plan = shown(user.post("/console/tokens/bulk", &fields).await);
    has(&plan, r#"<strong id="count">3</strong>"#);
    has(&plan, "Another token took its place");
    for number in 0..3 {
        has(&plan, &format!("old {number}"));
    }
    has_not(&plan, "kept");
    let run = between(&plan, r#"<form class="form" method="post" action=""#, "\"")[0];

    for wrong in ["", "4", "all", "33"] {
        let (status, _, page) = user.post(run, &[("count", wrong)]).await;
        assert_eq!(status, 422, "{wrong}");
        has(&page, "nothing was revoked");
    }
    comes_to(&operator, text(&tokens[0], "token"), "VALID").await;

    // What comes after the plan is not in it.
    let late = operator
        .issue(&account, json!({ "name": "late", "scopes": ["old:one"] }))
        .await;
    let progress = led(user.post(run, &[("count", "3")]).await);
    assert_eq!(progress, run);
    wait_for("all to be revoked", async || {
        let page = shown(user.get(&progress).await);
        page.contains("All of them are revoked")
    })
    .await;
    for token in &tokens {
        comes_to(&operator, text(token, "token"), "REVOKED").await;
    }
    for token in [&kept, &late] {
        comes_to(&operator, text(token, "token"), "VALID").await;
    }
}

#[tokio::test]
async fn nobody_revokes_everything_by_an_empty_field() {
    let (_site, _, user) = with_account().await;
    let page = shown(user.get("/console/tokens/bulk").await);
    has(&page, "Filter the list first");
    let (status, _, page) = user.post("/console/tokens/bulk", &[("key", "k")]).await;
    assert_eq!(status, 422);
    has(&page, "Name at least one filter");
    let nothing = [("key", "k"), ("search", "nothing like it")];
    let page = shown(user.post("/console/tokens/bulk", &nothing).await);
    has(&page, "There is nothing to revoke");
}

#[tokio::test]
async fn tokens_that_are_selected_end_when_their_number_is_typed() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let (tokens, kept) = three(&operator, &account).await;
    let ids: Vec<&str> = tokens.iter().map(|it| text(it, "id")).collect();
    let chosen: Vec<(&str, &str)> = ids.iter().map(|id| ("id", *id)).collect();
    let page = shown(user.post("/console/tokens/selected", &chosen).await);
    has(&page, "3 selected");
    has_not(&page, "kept");

    let wrong = [&chosen[..], &[("count", "2"), ("reason", "leaked")]].concat();
    let (status, _, page) = user.post("/console/tokens/selected/revoke", &wrong).await;
    assert_eq!(status, 422);
    has(&page, "nothing was revoked");
    has(&page, r#"<option value="leaked" selected>"#);
    comes_to(&operator, text(&tokens[0], "token"), "VALID").await;

    let right = [&chosen[..], &[("count", "3"), ("reason", "leaked")]].concat();
    let done = shown(user.post("/console/tokens/selected/revoke", &right).await);
    has(&done, "Revoked: 3.");
    for token in &tokens {
        comes_to(&operator, text(token, "token"), "REVOKED").await;
    }
    comes_to(&operator, text(&kept, "token"), "VALID").await;
    // None selected: back to the list.
    assert_eq!(
        led(user.post("/console/tokens/selected", &[]).await),
        "/console/tokens"
    );
}

/// How often the token was changed since it was issued, and whether it is revoked.
async fn changes(operator: &tollkeeper_testkit::stack::Person, token: &Value) -> (usize, bool) {
    let path = format!("/v1/tokens/{}", text(token, "id"));
    let events = operator.get(&format!("{path}/events")).await.expect(200);
    let number = events["items"].as_array().map_or(0, Vec::len);
    let state = operator.get(&path).await.expect(200);
    (number - 1, state["state"] == "revoked")
}

/// What a page says of each token, by its address.
fn outcome(page: &str, token: &Value) -> String {
    let row = between(page, &format!(r#"<a href="{}">"#, page_of(token)), "</tr>");
    let badge = between(row[0], r#"<span class="badge""#, "</span>");
    let (_, text) = badge[0].split_once('>').unwrap();
    text.to_owned()
}

#[tokio::test]
async fn a_form_that_is_sent_twice_revokes_nothing_twice() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let (tokens, kept) = three(&operator, &account).await;
    let mut fields: Vec<(&str, &str)> = tokens.iter().map(|it| ("id", text(it, "id"))).collect();
    fields.extend([("count", "3"), ("reason", "leaked")]);
    let path = "/console/tokens/selected/revoke";
    // At once, as an impatient click does, and by the way back.
    let (first, second) = tokio::join!(user.post(path, &fields), user.post(path, &fields));
    for page in [shown(first), shown(second)] {
        has(&page, "<h1>Tokens revoked</h1>");
    }
    fields.push(("reason", "superseded"));
    fields.retain(|field| *field != ("reason", "leaked"));
    let again = shown(user.post(path, &fields).await);
    has(&again, "Revoked: 0. Revoked before: 3.");
    for token in &tokens {
        assert_eq!(outcome(&again, token), "revoked before");
        assert_eq!(changes(&operator, token).await, (1, true));
    }
    assert_eq!(changes(&operator, &kept).await, (0, false));

    // A plan that is run twice is run once.
    let key = [("key", "k"), ("search", "kept"), ("reason", "superseded")];
    let plan = shown(user.post("/console/tokens/bulk", &key).await);
    let run = between(&plan, r#"<form class="form" method="post" action=""#, "\"")[0];
    let count = [("count", "1")];
    let (first, second) = tokio::join!(user.post(run, &count), user.post(run, &count));
    assert_eq!((led(first).as_str(), led(second).as_str()), (run, run));
    wait_for("it to be revoked", async || {
        changes(&operator, &kept).await.1
    })
    .await;
    assert_eq!(led(user.post(run, &count).await), run);
    assert_eq!(changes(&operator, &kept).await, (1, true));
}

#[tokio::test]
async fn what_fails_in_the_middle_is_told_of_each_and_gone_on_with() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let mut tokens = Vec::new();
    for number in 0..5 {
        let body = json!({ "name": format!("old {number}") });
        tokens.push(operator.issue(&account, body).await);
    }
    // The second was revoked before, and the database fails at the third.
    let second = format!("/v1/tokens/{}", text(&tokens[1], "id"));
    operator.delete(&second).await.expect(200);
    let fault = format!(
        "alter table api_tokens add constraint fault
            check (id <> '{}' or revoked_at is null) not valid",
        text(&tokens[2], "id")
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(fault))
        .execute(&site.pool)
        .await
        .unwrap();
    let mut fields: Vec<(&str, &str)> = tokens.iter().map(|it| ("id", text(it, "id"))).collect();
    fields.push(("count", "5"));
    let path = "/console/tokens/selected/revoke";
    let (status, _, page) = user.post(path, &fields).await;
    assert_eq!(status, 503, "{page}");
    has(&page, "<h1>Not all tokens are revoked</h1>");
    has(
        &page,
        "Revoked: 1. Revoked before: 1. Not known: 1. Not tried: 2.",
    );
    let told: Vec<String> = tokens.iter().map(|it| outcome(&page, it)).collect();
    let expected = [
        "revoked",
        "revoked before",
        "not known",
        "not tried",
        "not tried",
    ];
    assert_eq!(told, expected);
    let mut revoked = Vec::new();
    for token in &tokens {
        revoked.push(changes(&operator, token).await.1);
    }
    assert_eq!(revoked, [true, true, false, false, false]);

    sqlx::raw_sql("alter table api_tokens drop constraint fault")
        .execute(&site.pool)
        .await
        .unwrap();
    let rest = between(&page, r#"name="id" value=""#, "\"");
    let ids: Vec<&str> = tokens[2..].iter().map(|it| text(it, "id")).collect();
    assert_eq!(rest, ids);
    let mut fields: Vec<(&str, &str)> = rest.into_iter().map(|id| ("id", id)).collect();
    let ask = shown(user.post("/console/tokens/selected", &fields).await);
    has(&ask, "3 selected");
    fields.push(("count", "3"));
    has(&shown(user.post(path, &fields).await), "Revoked: 3.");
    for token in &tokens {
        assert_eq!(changes(&operator, token).await, (1, true));
    }
}
