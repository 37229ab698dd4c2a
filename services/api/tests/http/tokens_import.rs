//! `POST /v1/tokens/import`

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tollkeeper_ambient::{Entropy, SystemEntropy};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Answer, Person};
use uuid::Uuid;

use crate::jwt;
use crate::support::{bad_fields, in_seconds, manager, now, problem, system_account, text};

pub(crate) const IMPORT: &str = "/v1/tokens/import";

/// The SHA-256 of a token, as another system has it.
pub(crate) fn hash(token: &str) -> String {
    let hash = Sha256::digest(token.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A call with a token for each of these.
pub(crate) fn call(account: &str, tokens: &[&str]) -> Value {
    let items = tokens.iter().map(
        |token| json!({ "account_id": account, "name": "from elsewhere", "hash": hash(token) }),
    );
    json!({ "tokens": items.collect::<Vec<_>>() })
}

pub(crate) fn new_id() -> Uuid {
    SystemEntropy.uuid_v7(now())
}

/// That many tokens that nobody has seen.
pub(crate) fn many(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("old_{}{number}", new_id().simple()))
        .collect()
}

/// How many tokens, secrets and events of imports there are.
pub(crate) async fn imported(stack: &Stack) -> (i64, i64, i64) {
    let counts = sqlx::query_as(
        "select (select count(*) from api_tokens), (select count(*) from api_token_secrets),
            (select count(*) from events where type = 'TokenImported')",
    );
    counts.fetch_one(&stack.database.pool).await.unwrap()
}

/// 409 that names these places of the body.
#[track_caller]
pub(crate) fn conflict(answer: &Answer, code: &str, pointers: &[&str]) {
    let body = problem(answer, 409, code);
    let errors = body["errors"].as_array().expect("the fields");
    let found: Vec<&str> = errors.iter().map(|error| text(error, "pointer")).collect();
    assert_eq!(found, pointers, "{body}");
}

pub(crate) async fn of(operator: &Person, account: &str) -> usize {
    let path = format!("/v1/tokens?account_id={account}&limit=200");
    let listed = operator.get(&path).await.expect(200);
    listed["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn tokens_are_imported_in_the_order_of_the_call() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (one, other) = (
        operator.account("one").await,
        operator.account("other").await,
    );
    let end = in_seconds(3600);
    let body = json!({ "tokens": [
        {
            "account_id": one, "name": "  deploy ", "hash": hash("first").to_uppercase(),
            "token_prefix": "old_fir", "environment": "test", "scopes": ["orders:read"],
            "metadata": { "team": "ops" }, "not_before": in_seconds(-60), "expires_at": end,
        },
        { "account_id": other, "name": "second", "hash": hash("second") },
    ]});
    let answer = operator.post(IMPORT, body).await.expect(201);
    let ids = answer["ids"].as_array().unwrap();
    assert_eq!(ids.len(), 2);
    let path = |index: usize| format!("/v1/tokens/{}", ids[index].as_str().unwrap());
    let first = operator.get(&path(0)).await.expect(200);
    assert_eq!(
        (&first["account_id"], &first["name"], &first["environment"]),
        (&json!(one), &json!("deploy"), &json!("test"))
    );
    assert_eq!(
        (&first["token_prefix"], &first["scopes"], &first["metadata"]),
        (
            &json!("old_fir"),
            &json!(["orders:read"]),
            &json!({ "team": "ops" })
        )
    );
    assert_eq!(
        (&first["state"], &first["version"]),
        (&json!("active"), &json!(1))
    );
    let second = operator.get(&path(1)).await.expect(200);
    assert_eq!(
        (&second["account_id"], &second["token_prefix"]),
        (&json!(other), &json!(""))
    );
    assert!(second["expires_at"].is_string(), "the longest expiry");
    let history = operator
        .get(&format!("{}/events", path(0)))
        .await
        .expect(200);
    assert_eq!(history["items"][0]["type"], "TokenImported");
    assert!(!history.to_string().contains(&hash("first")), "{history}");
    assert_eq!(imported(&stack).await, (2, 2, 2));
}

#[tokio::test]
async fn a_thousand_are_imported_at_once_and_not_one_more() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let tokens = many(1001);
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    bad_fields(
        &operator.post(IMPORT, call(&account, &tokens)).await,
        &["/tokens"],
    );
    bad_fields(
        &operator.post(IMPORT, call(&account, &[])).await,
        &["/tokens"],
    );
    // Each as large as it may be, more than any other body.
    let mut largest = call(&account, &tokens[..1000]);
    for token in largest["tokens"].as_array_mut().unwrap() {
        token["metadata"] = json!({ "more": "x".repeat(2000) });
    }
    let ids = operator.post(IMPORT, largest).await.expect(201);
    assert_eq!(ids["ids"].as_array().unwrap().len(), 1000);
    assert_eq!(imported(&stack).await, (1000, 1000, 1000));
    let again = operator.post(IMPORT, call(&account, &tokens[..1000])).await;
    let body = problem(&again, 409, "DUPLICATE_HASHES");
    assert_eq!(body["errors"].as_array().unwrap().len(), 1000);
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[("TOLLKEEPER_LOG", "debug")]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let secret = hash("never told");
    let body = json!({ "tokens": [
        { "account_id": account, "name": "good", "hash": hash("good") },
        {
            "account_id": account, "name": "", "hash": &secret[1..],
            "token_prefix": "thirteenchars", "metadata": { "a": "x".repeat(3000) },
            "scopes": ["orders:read", "NO"], "expires_at": in_seconds(-5),
        },
        {
            "account_id": account, "name": "n", "hash": format!("{secret}0"), "token_prefix": "a b",
            "expires_at": in_seconds(60), "expires_in_minutes": 5,
        },
        {
            "account_id": account, "name": "n", "hash": hash("n"), "not_before": in_seconds(60),
            "expires_at": in_seconds(30), "scopes": vec!["a"; 101],
        },
    ]});
    let answer = operator.post(IMPORT, body).await;
    bad_fields(
        &answer,
        &[
            "/tokens/1/name",
            "/tokens/1/hash",
            "/tokens/1/token_prefix",
            "/tokens/1/metadata",
            "/tokens/1/scopes/1",
            "/tokens/1/expires_at",
            "/tokens/2/hash",
            "/tokens/2/token_prefix",
            "/tokens/2/expires_in_minutes",
            "/tokens/3/scopes",
            "/tokens/3/not_before",
        ],
    );
    assert!(!answer.text.contains(&secret[1..]), "{}", answer.text);

    // The reader of JSON repeats what it read.
    for (field, pointer) in [("environment", "environment"), (&secret, "[redacted]")] {
        let mut odd = call(&account, &["good"]);
        odd["tokens"][0][field] = json!(secret);
        let answer = operator.post(IMPORT, odd).await;
        bad_fields(&answer, &[&format!("/tokens/0/{pointer}")]);
        assert!(!answer.text.contains(&secret), "{}", answer.text);
    }
    let nameless = json!({ "tokens": [{ "hash": secret }] });
    bad_fields(&operator.post(IMPORT, nameless).await, &["/tokens/0"]);

    let mut hopeless = call(&account, &["x"; 150]);
    for token in hopeless["tokens"].as_array_mut().unwrap() {
        token["hash"] = json!("no hash");
    }
    let body = problem(
        &operator.post(IMPORT, hopeless).await,
        422,
        "INVALID_FIELDS",
    );
    assert_eq!(body["errors"].as_array().unwrap().len(), 100);
    assert!(text(&body, "detail").contains("more than 100"), "{body}");
    assert_eq!(imported(&stack).await, (0, 0, 0));
    let log = api.log_text();
    assert!(
        log.contains("a request was refused") && !log.contains(&secret),
        "{log}"
    );
}

#[tokio::test]
async fn what_is_no_import_is_refused() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let good = call(&account, &["good"]);
    problem(
        &api.nobody().post(IMPORT, good.clone()).await,
        401,
        "UNAUTHENTICATED",
    );
    problem(&operator.get(IMPORT).await, 405, "METHOD_NOT_ALLOWED");
    let raw = async |kind: &str, body: Vec<u8>| {
        let request = operator.request(Method::POST, IMPORT);
        Person::send(request.header("content-type", kind).body(body)).await
    };
    let bytes = good.to_string().into_bytes();
    problem(
        &raw("text/plain", bytes).await,
        415,
        "UNSUPPORTED_MEDIA_TYPE",
    );
    let half = b"{\"tokens\":[{".to_vec();
    problem(&raw("application/json", half).await, 400, "MALFORMED_JSON");
    let large = vec![b' '; 8 * 1024 * 1024 + 1];
    let answer = problem(&raw("application/json", large).await, 413, "BODY_TOO_LARGE");
    assert!(text(&answer, "detail").contains("8388608"), "{answer}");
    let reader = json!({ "scopes": ["tollkeeper:tokens.read"] });
    let reader = operator.issue(&account, reader).await;
    let reader = api.bearer(text(&reader, "token"));
    problem(&reader.post(IMPORT, good).await, 403, "INSUFFICIENT_SCOPE");
}

#[tokio::test]
async fn callers_import_within_their_reach_alone() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&jwt::SETTINGS).await;
    let operator = api.operator();
    let (own, other) = (
        operator.account("own").await,
        operator.account("other").await,
    );
    let unknown = Uuid::nil().to_string();
    let item = |more: Value| {
        let mut item = json!({ "name": "n", "hash": hash(&new_id().to_string()) });
        for (name, value) in more.as_object().unwrap() {
            item[name] = value.clone();
        }
        item
    };
    let mixed = json!({ "tokens": [
        item(json!({ "account_id": own })), item(json!({})), item(json!({ "account_id": unknown })),
    ]});
    let refused = operator.post(IMPORT, mixed.clone()).await;
    bad_fields(&refused, &["/tokens/1/account_id", "/tokens/2/account_id"]);

    let parent = manager(&operator, &own, &["orders:*"]).await;
    let user = api.bearer(text(&parent, "token"));
    let foreign = json!({ "tokens": [item(json!({})), item(json!({ "account_id": other }))] });
    bad_fields(&user.post(IMPORT, foreign).await, &["/tokens/1/account_id"]);
    let beyond = json!({ "tokens": [
        item(json!({ "scopes": ["orders:read"] })), item(json!({ "scopes": ["users:read"] })),
        item(json!({ "environment": "test" })),
    ]});
    let answer = problem(&user.post(IMPORT, beyond).await, 403, "BEYOND_AUTHORITY");
    let named = [
        &answer["errors"][0]["pointer"],
        &answer["errors"][1]["pointer"],
    ];
    assert_eq!(named, [&json!("/tokens/1"), &json!("/tokens/2")]);
    let within = json!({ "tokens": [item(json!({ "scopes": ["orders:read"] }))] });
    let made = user.post(IMPORT, within).await.expect(201);
    let path = format!("/v1/tokens/{}", made["ids"][0].as_str().unwrap());
    let made = operator.get(&path).await.expect(200);
    assert_eq!(
        (&made["account_id"], &made["issued_by"]),
        (&json!(own), &parent["id"])
    );

    // A system account's token imports for everybody; who names no account gets their own.
    let system = system_account(&operator).await;
    let system = manager(&operator, &system, &[]).await;
    let across = json!({ "tokens": [item(json!({ "account_id": other })), item(json!({}))] });
    let across = api
        .bearer(text(&system, "token"))
        .post(IMPORT, across)
        .await;
    assert_eq!(across.expect(201)["ids"].as_array().unwrap().len(), 2);
    assert_eq!(of(&operator, &other).await, 1);

    // An account holder is registered by what is done, and not by what is refused.
    let holder = api.bearer(&jwt::of("holder"));
    let known = json!({ "tokens": [{ "name": "n", "hash": hash(text(&parent, "token")) }] });
    conflict(
        &holder.post(IMPORT, known).await,
        "DUPLICATE_HASHES",
        &["/tokens/0/hash"],
    );
    bad_fields(
        &holder.post(IMPORT, mixed).await,
        &["/tokens/0/account_id", "/tokens/2/account_id"],
    );
    let whoami = holder.get("/v1/whoami").await.expect(200);
    assert_eq!(whoami["account"], Value::Null, "{whoami}");
    let mine = json!({ "tokens": [item(json!({})), item(json!({}))] });
    holder.post(IMPORT, mine).await.expect(201);
    let mine = holder.get("/v1/tokens").await.expect(200);
    assert_eq!(mine["items"].as_array().unwrap().len(), 2);
}
