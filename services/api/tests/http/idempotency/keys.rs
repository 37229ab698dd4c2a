//! What a key is, whom and what it holds for, and when it is free again.

use serde_json::{Value, json};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{OPERATOR_KEY, Person};

use super::{count, is_replayed, keyed, token_for};
use crate::support::{bad_fields, manager, path_of, problem, text};
use crate::webhooks::SEAL_KEY;

const PATH: &str = "/v1/tokens";

#[tokio::test]
async fn a_key_holds_for_one_request() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[SEAL_KEY]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let body = token_for(&account);
    let first = keyed(&operator, PATH, "k", &body).await;
    first.expect(201);
    let mut other = body.clone();
    other["name"] = json!("other");
    problem(
        &keyed(&operator, PATH, "k", &other).await,
        422,
        "IDEMPOTENCY_KEY_REUSED",
    );
    let with_query = format!("{PATH}?x=1");
    problem(
        &keyed(&operator, &with_query, "k", &body).await,
        422,
        "IDEMPOTENCY_KEY_REUSED",
    );
    // The string of RFC 9651 is the same key as the bare text.
    let quoted = keyed(&operator, PATH, "\"k\"", &body).await;
    assert_eq!((quoted.status, &quoted.text), (201, &first.text));
    assert_eq!(count(&stack, "api_tokens").await, 1);
    // Without a key, and with another one, it is another request.
    operator.post(PATH, body.clone()).await.expect(201);
    keyed(&operator, PATH, "K", &body).await.expect(201);
    assert_eq!(count(&stack, "api_tokens").await, 3);
}

#[tokio::test]
async fn callers_and_routes_have_keys_of_their_own() {
    let mut stack = Stack::bare().await;
    let keys = format!("test:{OPERATOR_KEY},next:another-operator-key-0123456789abcdef");
    let settings = [("TOLLKEEPER_OPERATOR_KEY", keys.as_str()), SEAL_KEY];
    let api = stack.api(&settings).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let managers = [
        manager(&operator, &account, &[]).await,
        manager(&operator, &account, &[]).await,
    ];
    let body = token_for(&account);
    let colleague = |path: &str| {
        let request = api.nobody().request(reqwest::Method::POST, path);
        let request = request.header("x-api-key", "another-operator-key-0123456789abcdef");
        Person::send(request.header("idempotency-key", "k").json(&body))
    };
    let mut answers = vec![
        keyed(&operator, PATH, "k", &body).await,
        colleague(PATH).await,
    ];
    for manager in &managers {
        let manager = api.bearer(text(manager, "token"));
        for path in [PATH, "/settings/api-tokens"] {
            answers.push(keyed(&manager, path, "k", &body).await);
        }
    }
    // One route for each token that is rotated.
    for token in &managers {
        let rotate = format!("{}/rotate", path_of(token));
        answers.push(keyed(&operator, &rotate, "k", &json!({})).await);
    }
    let mut secrets: Vec<String> = Vec::new();
    for answer in &answers {
        assert!(!is_replayed(answer));
        let made: Value = answer.json();
        secrets.push(text(&made, "token").to_owned());
    }
    secrets.sort();
    secrets.dedup();
    assert_eq!(secrets.len(), 8, "each has made one of its own");
    assert_eq!(count(&stack, "idempotency_keys").await, 8);
}

#[tokio::test]
async fn what_is_no_key_is_refused_with_the_reason() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let body = token_for(&operator.account("crm-1").await);
    let long = "k".repeat(256);
    for (bad, why) in [
        (vec![""], "is empty"),
        (vec![long.as_str()], "more than 255 characters"),
        (vec!["a b"], "at character 2"),
        (vec!["ä"], "at character 1"),
        (vec!["\"a"], "quote"),
        (vec!["a", "b"], "more than once"),
        (vec!["a", "a"], "more than once"),
    ] {
        for (path, body) in [
            (PATH, &body),
            ("/v1/accounts", &json!({})),
            ("/api/tokens", &json!({ "userId": "u" })),
        ] {
            let request = operator.request(reqwest::Method::POST, path).json(body);
            let request = bad.iter().fold(request, |request, value| {
                request.header("idempotency-key", value.as_bytes())
            });
            let refused = problem(&Person::send(request).await, 400, "INVALID_HEADER");
            let detail = text(&refused, "detail");
            assert!(detail.contains("`Idempotency-Key`"), "{detail}");
            assert!(detail.contains(why), "{detail}");
        }
    }
    assert_eq!(count(&stack, "api_tokens").await, 0);
    assert_eq!(count(&stack, "accounts").await, 1);
    assert_eq!(count(&stack, "idempotency_keys").await, 0);
    let longest = "k".repeat(255);
    keyed(&operator, PATH, &longest, &body).await.expect(201);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[SEAL_KEY]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let body = token_for(&account);
    let managing = manager(&operator, &account, &[]).await;
    let manager = api.bearer(text(&managing, "token"));

    // 400, 422, 403 and 409, each corrected with the same key.
    let request = operator.request(reqwest::Method::POST, PATH);
    let request = request.header("idempotency-key", "json");
    let request = request.header("content-type", "application/json").body("{");
    problem(&Person::send(request).await, 400, "MALFORMED_JSON");
    keyed(&operator, PATH, "json", &body).await.expect(201);

    let nameless = json!({ "account_id": account, "name": "" });
    bad_fields(&keyed(&operator, PATH, "name", &nameless).await, &["/name"]);
    keyed(&operator, PATH, "name", &body).await.expect(201);

    let mut beyond = body.clone();
    beyond["scopes"] = json!(["orders:read"]);
    problem(
        &keyed(&manager, PATH, "beyond", &beyond).await,
        403,
        "BEYOND_AUTHORITY",
    );
    keyed(&manager, PATH, "beyond", &body).await.expect(201);

    let suspend = format!("/v1/accounts/{account}/suspend");
    operator.post(&suspend, json!({})).await.expect(200);
    problem(
        &keyed(&operator, PATH, "later", &body).await,
        409,
        "ACCOUNT_NOT_ACTIVE",
    );
    assert_eq!(count(&stack, "idempotency_keys").await, 3);
    let resume = format!("/v1/accounts/{account}/resume");
    operator.post(&resume, json!({})).await.expect(200);
    keyed(&operator, PATH, "later", &body).await.expect(201);

    // And a webhook, whose answer is not written by the log.
    let url = json!({ "url": "http://hooks.example.com/", "account_id": account });
    bad_fields(
        &keyed(&operator, "/v1/webhooks", "url", &url).await,
        &["/url"],
    );
    let url = json!({ "url": "https://hooks.example.com/", "account_id": account });
    let made = keyed(&operator, "/v1/webhooks", "url", &url).await;
    made.expect(201);
}

#[tokio::test]
async fn a_run_of_a_plan_is_the_same_however_often_it_is_asked_for() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    operator.issue(&account, json!({})).await;
    let (path, filter) = ("/v1/tokens/bulk-revoke", json!({ "account_id": account }));
    let plan = json!({ "dry_run": true, "filter": filter });
    let plan = keyed(&operator, path, "k", &plan).await.expect(201);
    let run = json!({ "dry_run": false, "filter": filter, "plan_id": plan["id"] });
    for _ in 0..2 {
        let answer = keyed(&operator, path, "run", &run).await;
        assert_eq!(answer.expect(200)["revoked"], 1);
        assert!(!is_replayed(&answer));
    }
}
