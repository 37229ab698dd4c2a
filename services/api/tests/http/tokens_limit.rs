//! How many live tokens an account may have.

use futures::future::join_all;
use serde_json::{Value, json};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::Person;

use crate::support::{bad_fields, in_seconds, path_of, problem, text};

/// The installation's own limit.
const LIMIT: [(&str, &str); 1] = [("TOLLKEEPER_ACCOUNT_TOKEN_LIMIT", "2")];

async fn limit(operator: &Person, account: &str, limit: Value) {
    let path = format!("/v1/accounts/{account}");
    let changed = operator.patch(&path, json!({ "token_limit": limit })).await;
    assert_eq!(changed.expect(200)["token_limit"], limit);
}

/// 409 to one more.
async fn full(operator: &Person, account: &str) {
    let one_more = json!({ "account_id": account, "name": "one more" });
    let refused = operator.post("/v1/tokens", one_more).await;
    problem(&refused, 409, "TOO_MANY_TOKENS");
}

#[tokio::test]
async fn revoked_and_expired_tokens_leave_room_and_suspended_ones_do_not() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&LIMIT).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let first = operator.issue(&account, json!({})).await;
    let brief = operator
        .issue(&account, json!({ "expires_at": in_seconds(2) }))
        .await;
    full(&operator, &account).await;

    let suspend = format!("{}/suspend", path_of(&first));
    operator.post(&suspend, json!({})).await.expect(200);
    full(&operator, &account).await;
    // A new secret is no new token, and no change but one that brings a token back counts.
    let rotate = format!("{}/rotate", path_of(&first));
    operator.post(&rotate, json!({})).await.expect(200);
    let resume = format!("{}/resume", path_of(&first));
    operator.post(&resume, json!({})).await.expect(200);

    operator.delete(&path_of(&first)).await.expect(200);
    let second = operator.issue(&account, json!({})).await;
    tollkeeper_testkit::wait_for("the brief one to expire", async || {
        operator.get(&path_of(&brief)).await.expect(200)["state"] == "expired"
    })
    .await;
    operator.issue(&account, json!({})).await;
    full(&operator, &account).await;

    let prolong = json!({ "expires_at": in_seconds(3600) });
    let prolonged = operator.patch(&path_of(&brief), prolong.clone()).await;
    problem(&prolonged, 409, "TOO_MANY_TOKENS");
    operator.delete(&path_of(&second)).await.expect(200);
    let prolonged = operator.patch(&path_of(&brief), prolong).await;
    assert_eq!(prolonged.expect(200)["state"], "active");
    full(&operator, &account).await;
    // Live as it is, it takes no other place.
    let longer = json!({ "expires_at": in_seconds(7200) });
    operator.patch(&path_of(&brief), longer).await.expect(200);
}

#[tokio::test]
async fn an_accounts_own_limit_wins() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&LIMIT).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    for _ in 0..2 {
        operator.issue(&account, json!({})).await;
    }
    full(&operator, &account).await;
    limit(&operator, &account, json!(3)).await;
    operator.issue(&account, json!({})).await;
    full(&operator, &account).await;
    // A lower limit takes nothing away.
    limit(&operator, &account, json!(1)).await;
    full(&operator, &account).await;
    let listed = operator.get("/v1/tokens?state=active").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 3);
    limit(&operator, &account, json!(0)).await;
    operator.issue(&account, json!({})).await;
    limit(&operator, &account, json!(null)).await;
    full(&operator, &account).await;

    let path = format!("/v1/accounts/{account}");
    let own = json!({ "scopes": ["tollkeeper:accounts.write"] });
    limit(&operator, &account, json!(0)).await;
    let own = operator.issue(&account, own).await;
    let own = api.bearer(text(&own, "token"));
    let more = own.patch(&path, json!({ "token_limit": 100 })).await;
    problem(&more, 403, "BEYOND_AUTHORITY");
    for bad in [json!(-1), json!(100_001), json!("many")] {
        let answer = operator.patch(&path, json!({ "token_limit": bad })).await;
        bad_fields(&answer, &["/token_limit"]);
    }
}

#[tokio::test]
async fn issues_at_once_end_at_exactly_the_limit() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&[]).await, stack.api(&[]).await);
    let (here, there) = (here.operator(), there.operator());
    let account = here.account("crm-1").await;
    limit(&here, &account, json!(20)).await;
    let issues = (0..50).map(|number| {
        let operator = if number % 2 == 0 { &here } else { &there };
        operator.post(
            "/v1/tokens",
            json!({ "account_id": account, "name": "one of many" }),
        )
    });
    let answers = join_all(issues).await;
    let (issued, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 201);
    assert_eq!(issued.len(), 20);
    for answer in refused {
        problem(answer, 409, "TOO_MANY_TOKENS");
    }
    let path = format!("/v1/tokens?account_id={account}&limit=200");
    let listed = here.get(&path).await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 20);
}
