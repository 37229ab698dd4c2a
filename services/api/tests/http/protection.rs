//! Headers that keep browsers from doing more with an answer than to show it.

use reqwest::Method;
use serde_json::json;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Answer, Person};

const HEADERS: [(&str, &str); 5] = [
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

#[track_caller]
fn is_protected(answer: &Answer, except: &[&str]) {
    for (name, value) in HEADERS {
        let found = answer.header(name);
        if except.contains(&name) {
            assert!(found.is_some_and(|it| it != value), "{name}: {found:?}");
        } else {
            assert_eq!(found, Some(value), "{name}");
        }
        let times = answer.headers.get_all(name).iter().count();
        assert_eq!(times, 1, "{name}");
    }
}

#[tokio::test]
async fn every_answer_says_what_is_not_to_be_done_with_it() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let issued = operator
        .post("/v1/tokens", json!({ "account_id": account, "name": "ci" }))
        .await;
    assert_eq!(issued.status, 201);
    let large = operator
        .post("/v1/accounts", json!({ "name": "a".repeat(100_000) }))
        .await;
    assert_eq!(large.status, 413);
    let put = Person::send(operator.request(Method::PUT, "/v1/tokens")).await;
    assert_eq!(put.status, 405);
    for answer in [
        issued,
        large,
        put,
        operator.get("/v1/tokens").await,
        operator.get("/v1/nowhere").await,
        operator.get("/openapi.json").await,
        api.nobody().get("/v1/tokens").await,
    ] {
        is_protected(&answer, &[]);
    }
    let page = api.nobody().get("/docs/").await;
    assert_eq!(page.status, 200);
    is_protected(&page, &["cache-control", "content-security-policy"]);
    // Over plain HTTP it would mean nothing, and a proxy says it for itself.
    assert_eq!(page.header("strict-transport-security"), None);
}
