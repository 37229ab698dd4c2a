//! `GET /v1/tokens`

use serde_json::{Value, json};
use tollkeeper_testkit::stack::Person;
use tollkeeper_testkit::{Stack, wait_for};

use crate::support::{in_seconds, manager, path_of, problem, text};

async fn names(person: &Person, query: &str) -> Vec<String> {
    let page = person.get(&format!("/v1/tokens?{query}")).await.expect(200);
    names_of(&page)
}

fn names_of(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items
        .iter()
        .map(|item| text(item, "name").to_owned())
        .collect()
}

#[tokio::test]
async fn pages_are_stable_while_tokens_are_issued() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    for number in 1..=5 {
        let name = format!("t{number}");
        operator.issue(&account, json!({ "name": name })).await;
    }

    let first = operator.get("/v1/tokens?limit=2").await.expect(200);
    assert_eq!(names_of(&first), ["t5", "t4"]);
    operator.issue(&account, json!({ "name": "t6" })).await;
    let cursor = text(&first, "next_cursor");
    let second = format!("/v1/tokens?limit=2&cursor={cursor}");
    let second = operator.get(&second).await.expect(200);
    assert_eq!(names_of(&second), ["t3", "t2"]);
    let cursor = text(&second, "next_cursor");
    let last = format!("/v1/tokens?limit=2&cursor={cursor}");
    let last = operator.get(&last).await.expect(200);
    assert_eq!(names_of(&last), ["t1"]);
    assert!(last.get("next_cursor").is_none(), "{last}");
    assert_eq!(names(&operator, "limit=6").await.len(), 6);
    let whole = operator.get("/v1/tokens?limit=6").await.expect(200);
    assert!(
        whole.get("next_cursor").is_none(),
        "a full last page: {whole}"
    );

    for query in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "cursor=",
        "cursor=%21",
        "state=gone",
        "environment=prod",
        "account_id=x",
        "color=red",
        "state=active&state=revoked",
        "search=%00",
        "prefix=%00",
        "scope=%00",
    ] {
        let answer = operator.get(&format!("/v1/tokens?{query}")).await;
        problem(&answer, 400, "INVALID_QUERY");
    }
    problem(
        &api.nobody().get("/v1/tokens").await,
        401,
        "UNAUTHENTICATED",
    );
}

#[tokio::test]
async fn filters_choose_what_is_listed() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let issue = async |fields| operator.issue(&account, fields).await;

    let plain = issue(json!({ "name": "Deploy key" })).await;
    issue(json!({ "name": "reader", "scopes": ["orders:read", "a_b"] })).await;
    issue(json!({ "name": "tester", "environment": "test" })).await;
    let resting = issue(json!({ "name": "resting" })).await;
    let ended = issue(json!({ "name": "ended" })).await;
    issue(json!({ "name": "short", "expires_at": in_seconds(1) })).await;
    let suspend = format!("{}/suspend", path_of(&resting));
    operator.post(&suspend, json!({})).await.expect(200);
    operator.delete(&path_of(&ended)).await.expect(200);
    wait_for("the short token to expire", async || {
        names(&operator, "state=expired").await == ["short"]
    })
    .await;

    let active = names(&operator, "state=active").await;
    assert_eq!(active, ["tester", "reader", "Deploy key"]);
    assert_eq!(names(&operator, "state=suspended").await, ["resting"]);
    assert_eq!(names(&operator, "state=revoked").await, ["ended"]);
    assert_eq!(names(&operator, "environment=test").await, ["tester"]);
    assert_eq!(names(&operator, "scope=orders:read").await, ["reader"]);
    assert!(names(&operator, "scope=orders:*").await.is_empty());
    assert_eq!(names(&operator, "search=dEPLOY%20k").await, ["Deploy key"]);
    assert!(
        names(&operator, "search=%25").await.is_empty(),
        "no pattern"
    );
    let prefix = format!("prefix={}", text(&plain, "token_prefix"));
    assert_eq!(names(&operator, &prefix).await, ["Deploy key"]);
    assert_eq!(names(&operator, "prefix=tk_test_").await, ["tester"]);
    assert_eq!(
        names(&operator, "search=e&state=active&environment=live")
            .await
            .len(),
        2
    );
}

#[tokio::test]
async fn an_account_sees_its_own_tokens_alone() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (own, other) = (
        operator.account("own").await,
        operator.account("other").await,
    );
    let user = manager(&operator, &own, &[]).await;
    operator.issue(&other, json!({ "name": "foreign" })).await;

    let user = api.bearer(text(&user, "token"));
    assert_eq!(names(&user, "").await, ["a token"]);
    assert_eq!(
        names(&user, &format!("account_id={own}")).await,
        ["a token"]
    );
    assert!(
        names(&user, &format!("account_id={other}"))
            .await
            .is_empty()
    );
    assert!(names(&user, "search=foreign").await.is_empty());
    assert_eq!(
        names(&operator, &format!("account_id={other}")).await,
        ["foreign"]
    );
    assert_eq!(names(&operator, "").await.len(), 2);

    let writer = json!({ "scopes": ["tollkeeper:tokens.write"] });
    let writer = operator.issue(&own, writer).await;
    let answer = api.bearer(text(&writer, "token")).get("/v1/tokens").await;
    problem(&answer, 403, "INSUFFICIENT_SCOPE");
}
