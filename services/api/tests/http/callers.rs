//! Who calls, and by which credential.

use reqwest::Method;
use serde_json::json;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::OPERATOR_KEY;

use crate::support::{
    challenged, in_seconds, manager, path_of, problem, system_account, text, unissued, verified_as,
    with_header,
};

const SECOND_KEY: &str = "the-operator-key-that-comes-after-it-42";

#[tokio::test]
async fn a_credential_works_in_its_header() {
    let mut stack = Stack::bare().await;
    let keys = format!("test:{OPERATOR_KEY},next:{SECOND_KEY}");
    let api = stack.api(&[("TOLLKEEPER_OPERATOR_KEY", &keys)]).await;
    let (operator, nobody) = (api.operator(), api.nobody());
    let account = operator.account("crm-1").await;
    let token = manager(&operator, &account, &[]).await;
    let token = text(&token, "token");
    let list = async |header| with_header(&nobody, Method::GET, "/v1/tokens", header, None).await;

    let bearer = format!("Bearer {token}");
    let shouted = bearer.replace("Bearer", "bEARER");
    for header in [
        ("x-api-key", OPERATOR_KEY),
        ("x-api-key", SECOND_KEY),
        ("x-api-key", token),
        ("authorization", &bearer),
        ("authorization", &shouted),
    ] {
        list(header).await.expect(200);
    }
    // An operator key is no bearer token.
    let key = format!("Bearer {OPERATOR_KEY}");
    let answer = list(("authorization", &key)).await;
    problem(&answer, 401, "MALFORMED");
    challenged(&answer, Some("invalid_token"));
    let longer = format!("{OPERATOR_KEY}x");
    for wrong in ["", "x", &OPERATOR_KEY[1..], &longer] {
        let answer = list(("x-api-key", wrong)).await;
        problem(&answer, 401, "MALFORMED");
        challenged(&answer, Some("invalid_token"));
    }
    for odd in ["Basic YTpi", "Bearer", token] {
        problem(&list(("authorization", odd)).await, 400, "INVALID_HEADER");
    }
    let nothing = nobody.get("/v1/tokens").await;
    problem(&nothing, 401, "UNAUTHENTICATED");
    challenged(&nothing, None);
    let jwt = list(("authorization", "Bearer a.b.c")).await;
    problem(&jwt, 401, "INVALID_JWT");
}

#[tokio::test]
async fn of_two_differing_credentials_none_counts() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = manager(&operator, &account, &[]).await;
    let token = text(&token, "token");
    let bearer = format!("Bearer {token}");
    let both = ("authorization", bearer.as_str());
    for path in ["/v1/tokens", "/v1/accounts"] {
        let answer = with_header(&operator, Method::GET, path, both, None).await;
        problem(&answer, 400, "TWO_CREDENTIALS");
    }
    let twice = ("x-api-key", OPERATOR_KEY);
    let answer = with_header(&operator, Method::GET, "/v1/tokens", twice, None).await;
    problem(&answer, 400, "TWO_CREDENTIALS");
    let same = ("x-api-key", token);
    let same = with_header(&api.bearer(token), Method::GET, "/v1/tokens", same, None).await;
    same.expect(200);
}

#[tokio::test]
async fn a_token_that_does_not_work_manages_nothing() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let scopes = ["tollkeeper:tokens.read"];
    let issue = async |more: serde_json::Value| {
        let mut fields = json!({ "scopes": scopes });
        for (name, value) in more.as_object().unwrap() {
            fields[name] = value.clone();
        }
        operator.issue(&account, fields).await
    };
    let refused = async |token: &str, code| {
        let answer = api.bearer(token).get("/v1/tokens").await;
        problem(&answer, 401, code);
        challenged(&answer, Some("invalid_token"));
    };

    let early = issue(json!({ "not_before": in_seconds(3600) })).await;
    refused(text(&early, "token"), "NOT_YET_VALID").await;
    let short = issue(json!({ "expires_at": in_seconds(1) })).await;
    let short = text(&short, "token");
    verified_as(&operator, short, "EXPIRED").await;
    refused(short, "EXPIRED").await;
    let resting = issue(json!({})).await;
    api.bearer(text(&resting, "token"))
        .get("/v1/tokens")
        .await
        .expect(200);
    let suspend = format!("{}/suspend", path_of(&resting));
    operator.post(&suspend, json!({})).await.expect(200);
    refused(text(&resting, "token"), "SUSPENDED").await;
    operator.delete(&path_of(&resting)).await.expect(200);
    refused(text(&resting, "token"), "REVOKED").await;
    let other = issue(json!({})).await;
    let suspend = format!("/v1/accounts/{account}/suspend");
    operator.post(&suspend, json!({})).await.expect(200);
    refused(text(&other, "token"), "ACCOUNT_SUSPENDED").await;
    refused(&unissued(), "NOT_FOUND").await;
}

#[tokio::test]
async fn tokens_of_system_accounts_act_across_accounts() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let system = system_account(&operator).await;
    let gateway = manager(&operator, &system, &["tollkeeper:verify", "orders:*"]).await;
    let gateway = api.bearer(text(&gateway, "token"));
    let account = operator.account("crm-1").await;

    let made = gateway
        .issue(&account, json!({ "scopes": ["orders:read"] }))
        .await;
    assert_eq!(made["account_id"], json!(account));
    let path = path_of(&made);
    assert_eq!(gateway.get(&path).await.expect(200)["id"], made["id"]);
    let told = crate::support::verify(&gateway, text(&made, "token")).await;
    assert_eq!(
        (&told["code"], &told["account_id"]),
        (&json!("VALID"), &json!(account))
    );
    let listed = gateway.get("/v1/tokens").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let changed = gateway.patch(&path, json!({ "name": "seen" })).await;
    assert_eq!(changed.expect(200)["name"], "seen");
    let stronger = operator
        .issue(&account, json!({ "scopes": ["users:read"] }))
        .await;
    let rotate = format!("{}/rotate", path_of(&stronger));
    let answer = gateway.post(&rotate, json!({})).await;
    problem(&answer, 403, "BEYOND_AUTHORITY");
    assert_eq!(gateway.delete(&path).await.expect(200)["state"], "revoked");

    // No longer a system account's, as soon as the account is none.
    let role = json!({ "role": "user" });
    let path = path_of(&stronger);
    gateway.get(&path).await.expect(200);
    let demoted = operator
        .patch(&format!("/v1/accounts/{system}"), role)
        .await;
    assert_eq!(demoted.expect(200)["role"], "user");
    problem(&gateway.get(&path).await, 404, "NOT_FOUND");
}
