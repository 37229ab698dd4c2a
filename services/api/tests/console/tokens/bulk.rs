//! Many tokens at once: counted first, then revoked by whoever says how many they are.

use serde_json::{Value, json};
use tollkeeper_testkit::wait_for;

use super::{between, comes_to, field, has, has_not, led, shown, text, with_account};

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
