//! The history in words, and the token as it was.

use serde_json::json;

use super::{HOSTILE, between, has, has_not, page_of, shown, text, with_account};

#[tokio::test]
async fn every_moment_of_a_history_can_be_looked_at() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let scopes = json!({ "name": "first", "scopes": ["orders:read", "orders:write"] });
    let token = operator.issue(&account, scopes).await;
    let path = format!("/v1/tokens/{}", text(&token, "id"));
    operator
        .patch(&path, json!({ "name": HOSTILE }))
        .await
        .expect(200);
    let narrow = json!({ "scopes": ["orders:read"] });
    operator.patch(&path, narrow).await.expect(200);
    operator
        .post(&format!("{path}/rotate"), json!({ "grace_seconds": 60 }))
        .await
        .expect(200);
    operator
        .post(&format!("{path}/suspend"), json!({}))
        .await
        .expect(200);
    operator
        .delete(&format!("{path}?reason=superseded"))
        .await
        .expect(200);

    let page = shown(user.get(&page_of(&token)).await);
    let told = between(&page, "<p class=\"what\"><strong>", "</strong>");
    let renamed =
        "Renamed to “&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62;&#39; &#38; &#60;b&#62;”";
    let expected = [
        "Revoked: Another token took its place",
        "Suspended",
        "Given a new secret",
        "Scopes changed",
        renamed,
        "Issued",
    ];
    assert_eq!(told, expected);
    has(&page, "operator test");
    has(
        &page,
        "<del>orders:read, orders:write</del> <ins>orders:read</ins>",
    );
    has_not(&page, "<script>alert");

    // Each entry leads to the token as it was then, the newest entry first.
    let links = between(&page, "?at=", "\"");
    let mut seen = Vec::new();
    for at in links {
        let then = shown(user.get(&format!("{}?at={at}", page_of(&token))).await);
        has(&then, "You look at the token as it was on");
        has_not(&then, "/rotate\">New secret");
        let scopes = between(&then, "<li><code>", "</code>").len();
        let state = between(&then, "<h1>", "</h1>")[0];
        let state = between(state, "data-state=\"", "\"")[0].to_owned();
        let prefix = between(&then, "<dt>Secret begins with</dt><dd><code>", "</code>")[0];
        seen.push((state, scopes, prefix == text(&token, "token_prefix")));
    }
    let was = |state: &str, scopes, first| (state.to_owned(), scopes, first);
    let expected = [
        was("revoked", 1, false),
        was("suspended", 1, false),
        was("active", 1, false),
        was("active", 1, true),
        was("active", 2, true),
        was("active", 2, true),
    ];
    assert_eq!(seen, expected);

    // What has changed since the beginning.
    let first = between(&page, "?at=", "\"");
    let first = first.last().expect("the beginning");
    let then = shown(user.get(&format!("{}?at={first}", page_of(&token))).await);
    has(&then, "What has changed since");
    has(&then, r#"<th scope="row">Name</th><td>first</td>"#);
    has(
        &then,
        r#"<th scope="row">State</th><td>active</td><td>revoked</td>"#,
    );
}

#[tokio::test]
async fn moments_without_the_token_are_said_to_be_so() {
    let (site, account, user) = with_account().await;
    let token = site.api.operator().issue(&account, json!({})).await;
    let page = page_of(&token);
    let then = shown(user.get(&format!("{page}?at=2020-01-01T00%3A00")).await);
    has(&then, "There was no such token yet");
    for at in ["2999-01-01T00%3A00", "yesterday", "1066-10-14T09%3A00"] {
        let (status, _, shown) = user.get(&format!("{page}?at={at}")).await;
        assert_eq!(status, 400, "{at}");
        has(&shown, r#"role="alert""#);
        has(&shown, "<h2>History</h2>");
    }
}

#[tokio::test]
async fn a_long_history_goes_on_over_pages() {
    let (site, account, user) = with_account().await;
    let operator = site.api.operator();
    let token = operator.issue(&account, json!({ "name": "name 1" })).await;
    let path = format!("/v1/tokens/{}", text(&token, "id"));
    for number in 2..=70 {
        let name = json!({ "name": format!("name {number}") });
        operator.patch(&path, name).await.expect(200);
    }
    let page = shown(user.get(&page_of(&token)).await);
    assert_eq!(page.matches("Renamed to").count(), 20);
    let history = format!("{}/history", page_of(&token));
    has(&page, &history);
    let newest = shown(user.get(&history).await);
    assert_eq!(newest.matches("Renamed to").count(), 50);
    has(&newest, "Renamed to “name 21”");
    let older = between(&newest, "history?before=", "\"");
    let older = shown(user.get(&format!("{history}?before={}", older[0])).await);
    assert_eq!(older.matches("Renamed to").count(), 19);
    has(&older, "Renamed to “name 20”");
    has(&older, "<strong>Issued</strong>");
    has_not(&older, "?before=");
    // No address makes a page of what is not there.
    for before in ["0", "1", "9999"] {
        shown(user.get(&format!("{history}?before={before}")).await);
    }
}
