//! `GET /v1/tokens`

use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Answer, Person};
use tollkeeper_testkit::{Stack, wait_for};

use crate::support::{in_seconds, manager, path_of, problem, text};

pub(crate) async fn names(person: &Person, query: &str) -> Vec<String> {
    let page = person.get(&format!("/v1/tokens?{query}")).await.expect(200);
    names_of(&page)
}

pub(crate) fn names_of(page: &Value) -> Vec<String> {
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

    let accounts = operator.get("/v1/accounts?limit=1").await.expect(200);
    assert_eq!(accounts.get("next_cursor"), None);
    operator.account("crm-2").await;
    let accounts = operator.get("/v1/accounts?limit=1").await.expect(200);
    let foreign = text(&accounts, "next_cursor");
    let answer = operator.get(&format!("/v1/tokens?cursor={foreign}")).await;
    names_parameter(&answer, "cursor");
    let answer = operator.get(&format!("/v1/accounts?cursor={cursor}")).await;
    names_parameter(&answer, "cursor");
    let damaged = format!("{}A", &cursor[1..]);
    let answer = operator.get(&format!("/v1/tokens?cursor={damaged}")).await;
    names_parameter(&answer, "cursor");
}

/// 400 that says which parameter is bad.
#[track_caller]
pub(crate) fn names_parameter(answer: &Answer, name: &str) {
    let problem = problem(answer, 400, "INVALID_QUERY");
    let detail = text(&problem, "detail");
    let names = detail.split(|it: char| !(it.is_alphanumeric() || it == '_'));
    assert!(names.into_iter().any(|it| it == name), "{detail}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_named() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    for (query, name) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("cursor=", "cursor"),
        ("cursor=%21", "cursor"),
        ("state=gone", "state"),
        ("environment=prod", "environment"),
        ("account_id=x", "account_id"),
        ("issued_by=", "issued_by"),
        ("color=red", "color"),
        ("state=active&state=revoked", "state"),
        ("search=%00", "search"),
        ("prefix=%00", "prefix"),
        ("scope=%00", "scope"),
        ("created_after=yesterday", "created_after"),
        ("created_before=2026-02-30T00:00:00Z", "created_before"),
        ("last_used_after=1", "last_used_after"),
        ("last_used_before=-", "last_used_before"),
        ("expires_after=2026-01-01", "expires_after"),
        ("expires_before=", "expires_before"),
        ("expires_before=%2B20000-01-01T00:00:00Z", "expires_before"),
        (
            "created_after=2026-01-02T00:00:00Z&created_before=2026-01-02T00:00:00Z",
            "created_before",
        ),
        (
            "expires_after=2026-01-02T00:00:00Z&expires_before=2026-01-01T00:00:00Z",
            "expires_before",
        ),
        (
            "as_of=2026-01-02T00:00:00Z&last_used_after=2026-01-01T00:00:00Z",
            "last_used_after",
        ),
        ("sort=", "sort"),
        ("sort=color", "sort"),
        ("sort=name&sort=-name", "sort"),
        ("as_of=2026-01-02T00:00:00Z&sort=name", "sort"),
        ("never_used=maybe", "never_used"),
        ("as_of=2026-01-02T00:00:00Z&never_used=true", "never_used"),
        ("unused_since=long%20ago", "unused_since"),
        ("unused_since=%2B20000-01-01T00:00:00Z", "unused_since"),
        (
            "as_of=2026-01-02T00:00:00Z&unused_since=2026-01-01T00:00:00Z",
            "unused_since",
        ),
    ] {
        let answer = operator.get(&format!("/v1/tokens?{query}")).await;
        names_parameter(&answer, name);
    }
    problem(
        &api.nobody().get("/v1/tokens").await,
        401,
        "UNAUTHENTICATED",
    );
}

#[tokio::test]
async fn periods_begin_with_their_start_and_end_before_their_end() {
    let mut stack = Stack::bare().await;
    // Otherwise every token would expire some day.
    let unlimited = [("TOLLKEEPER_MAX_TOKEN_LIFETIME_DAYS", "0")];
    let api = stack.api(&unlimited).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let issuer = manager(&operator, &account, &[]).await;
    let issuer = api.bearer(text(&issuer, "token"));
    let soon = json!({ "name": "soon", "expires_at": in_seconds(3600) });
    let soon = operator.issue(&account, soon).await;
    let child = json!({ "name": "child", "expires_at": in_seconds(7200) });
    let child = issuer.post("/v1/tokens", child).await.expect(201);
    operator
        .issue(&account, json!({ "name": "for ever" }))
        .await;
    for (token, time) in [
        (&soon, "2026-03-01T00:00:00Z"),
        (&child, "2026-03-02T00:00:00Z"),
    ] {
        sqlx::query(
            "insert into api_token_usage_totals (token_id, usage_count, last_used_at)
            values ($1::uuid, 1, $2::timestamptz)",
        )
        .bind(text(token, "id"))
        .bind(time)
        .execute(&stack.database.pool)
        .await
        .unwrap();
    }

    let (first, second) = (text(&soon, "created_at"), text(&child, "created_at"));
    let after = async |query: String| names(&operator, &query).await;
    assert_eq!(
        after(format!("created_after={second}")).await,
        ["for ever", "child"]
    );
    assert_eq!(
        after(format!("created_after={first}&created_before={second}")).await,
        ["soon"]
    );
    assert_eq!(after(format!("created_before={first}")).await, ["a token"]);
    let (first, second) = (text(&soon, "expires_at"), text(&child, "expires_at"));
    assert_eq!(
        after(format!("expires_before={second}")).await,
        ["soon"],
        "what expires soon"
    );
    assert_eq!(
        after(format!("expires_after={first}")).await,
        ["child", "soon"]
    );
    assert_eq!(
        after(format!("expires_after={first}&expires_before={second}")).await,
        ["soon"]
    );
    let (first, second) = ("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z");
    assert_eq!(
        after(format!("last_used_before={second}")).await,
        ["soon"],
        "not what was never used"
    );
    assert_eq!(
        after(format!("last_used_after={first}")).await,
        ["child", "soon"]
    );
    let issued = format!("issued_by={}", text(&child, "issued_by"));
    assert_eq!(after(issued.clone()).await, ["child"]);
    assert_eq!(
        after(format!(
            "{issued}&account_id={account}&state=active&search=CHI"
        ))
        .await,
        ["child"]
    );
    assert!(
        after(format!(
            "{issued}&expires_before={}",
            text(&soon, "expires_at")
        ))
        .await
        .is_empty()
    );
    let then = in_seconds(0);
    assert_eq!(
        after(format!("{issued}&as_of={then}&expires_after={then}")).await,
        ["child"],
        "of the past as well"
    );
    assert!(
        after(format!("as_of={then}&created_before=2026-01-01T00:00:00Z"))
            .await
            .is_empty()
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
