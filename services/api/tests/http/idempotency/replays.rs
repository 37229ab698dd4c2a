//! The answer of the first time, for every operation that creates or rotates.

use serde_json::{Value, json};
use sqlx::Row;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::Person;

use super::{count, done, is_replayed, keyed, token_for};
use crate::jwt;
use crate::support::{manager, path_of, problem, text, verify};
use crate::webhooks;

/// How much there is of everything that a request can make.
async fn extent(stack: &Stack) -> Vec<i64> {
    let counts = "select (select count(*) from events), (select count(*) from webhooks),
        (select count(*) from webhook_secrets), (select count(*) from revocation_jobs),
        (select coalesce(sum(version), 0)::bigint from webhooks)";
    let row = sqlx::query(counts).fetch_one(&stack.database.pool).await;
    let row = row.unwrap();
    (0..5).map(|column| row.get(column)).collect()
}

#[tokio::test]
async fn every_operation_that_creates_answers_the_same_again_and_does_nothing() {
    let mut stack = Stack::bare().await;
    let settings = [&webhooks::SETTINGS[..], &jwt::SETTINGS[..]].concat();
    let (here, there) = (stack.api(&settings).await, stack.api(&settings).await);
    let operators = [here.operator(), there.operator()];
    let account = operators[0].account("crm-1").await;
    let token = operators[0].issue(&account, json!({})).await;
    let hook = json!({ "url": "https://hooks.example.com/", "account_id": account });
    let made = operators[0].post("/v1/webhooks", hook.clone()).await;
    let made = made.expect(201);
    let managing = manager(&operators[0], &account, &[]).await;
    let managers = [&here, &there].map(|node| node.bearer(text(&managing, "token")));
    // An account that the first request registers.
    let holders = [&here, &there].map(|node| node.bearer(&jwt::of("user-1")));
    let newcomer = json!({ "external_id": "crm-2", "name": "Ada", "email": "ada@example.com" });
    let planned = json!({ "dry_run": true, "filter": { "account_id": account } });
    let imported = json!({ "tokens": [{
        "account_id": account, "name": "old", "hash": "ab".repeat(32),
    }] });
    let cases: [(&[Person; 2], String, u16, Value); 11] = [
        (&operators, "/v1/accounts".into(), 201, newcomer),
        (&operators, "/v1/tokens".into(), 201, token_for(&account)),
        (&managers, "/v1/tokens".into(), 201, json!({ "name": "ci" })),
        (
            &holders,
            "/settings/api-tokens".into(),
            201,
            json!({ "name": "ci" }),
        ),
        (
            &operators,
            "/api/tokens".into(),
            201,
            json!({ "userId": "user-7" }),
        ),
        (
            &operators,
            format!("{}/rotate", path_of(&token)),
            200,
            json!({ "grace_seconds": 3600 }),
        ),
        (
            &managers,
            format!("{}/rotate", path_of(&managing)),
            200,
            json!({ "grace_seconds": 3600 }),
        ),
        (&operators, "/v1/tokens/import".into(), 201, imported),
        (&operators, "/v1/webhooks".into(), 201, hook),
        (
            &operators,
            format!("/v1/webhooks/{}/rotate-secret", text(&made, "id")),
            200,
            json!({}),
        ),
        (&operators, "/v1/tokens/bulk-revoke".into(), 201, planned),
    ];
    for ([first, second], path, status, body) in cases {
        let given = keyed(first, &path, "same", &body).await;
        let made = given.expect(status);
        assert!(!is_replayed(&given), "{path}");
        let before = extent(&stack).await;
        let again = keyed(second, &path, "same", &body).await;
        assert_eq!((again.status, &again.text), (status, &given.text), "{path}");
        assert!(is_replayed(&again), "{path}");
        for header in ["content-type", "etag", "cache-control"] {
            assert_eq!(again.header(header), given.header(header), "{path}");
        }
        assert_ne!(again.header("x-request-id"), given.header("x-request-id"));
        assert_eq!(extent(&stack).await, before, "{path}");
        if let Some(secret) = made["token"].as_str() {
            let known = verify(&operators[1], secret).await;
            assert_eq!(known["code"], "VALID", "{path}");
        }
    }
    assert_eq!(count(&stack, "idempotency_keys").await, 11);
}

#[tokio::test]
async fn a_rotation_that_is_sent_again_is_not_refused_for_what_it_did_itself() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[webhooks::SEAL_KEY]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let path = format!("{}/rotate", path_of(&token));
    let rotate = || async {
        let request = operator.request(reqwest::Method::POST, &path);
        let request = request.header("idempotency-key", "k");
        // There is no body, as an empty one is allowed.
        Person::send(request.header("if-match", "\"1\"")).await
    };
    let (first, again) = (rotate().await, rotate().await);
    first.expect(200);
    assert_eq!((again.status, &again.text), (200, &first.text));
    assert!(is_replayed(&again));
}

#[tokio::test]
async fn a_kept_answer_ends_after_a_day() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[webhooks::SEAL_KEY]).await;
    let operator = api.operator();
    let body = token_for(&operator.account("crm-1").await);
    let first = keyed(&operator, "/v1/tokens", "k", &body).await.expect(201);
    let nearly =
        "update idempotency_keys set created_at = created_at - interval '23 hours 50 minutes'";
    assert_eq!(done(&stack, nearly).await, 1);
    let again = keyed(&operator, "/v1/tokens", "k", &body).await;
    assert_eq!(again.expect(201)["id"], first["id"]);
    // The upkeep may be faster.
    let over = "update idempotency_keys set created_at = created_at - interval '10 minutes'";
    done(&stack, over).await;
    let new = keyed(&operator, "/v1/tokens", "k", &body).await;
    assert_ne!(new.expect(201)["id"], first["id"]);
    assert!(!is_replayed(&new));
}

#[tokio::test]
async fn what_is_old_is_removed() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[webhooks::SEAL_KEY]).await;
    let operator = api.operator();
    let body = token_for(&operator.account("crm-1").await);
    for key in ["old", "late", "new"] {
        keyed(&operator, "/v1/tokens", key, &body).await.expect(201);
    }
    let old = "update idempotency_keys set created_at = created_at - interval '24 hours'
        where key = 'old'";
    assert_eq!(done(&stack, old).await, 1);
    let late = "update idempotency_keys set sealed_until = clock_timestamp() where key = 'late'";
    assert_eq!(done(&stack, late).await, 1);
    // Each process looks when it starts, and every half minute.
    let _other = stack.api(&[]).await;
    tollkeeper_testkit::wait_for("the old to be gone", async || {
        count(&stack, "idempotency_keys where key = 'old'").await == 0
            && count(&stack, "idempotency_keys where sealed is not null").await == 1
    })
    .await;
    let sealed = "idempotency_keys where key = 'new' and sealed is not null";
    assert_eq!(count(&stack, sealed).await, 1);
    assert_eq!(count(&stack, "idempotency_keys").await, 2);
}

#[tokio::test]
async fn a_deleted_account_leaves_no_name_in_a_kept_answer() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let path = "/v1/accounts";
    let [ada, bob] = [("Ada", "ada@example.com"), ("Bob", "bob@example.com")]
        .map(|(name, email)| json!({ "name": name, "email": email }));
    let made = keyed(&operator, path, "ada", &ada).await.expect(201);
    let other = keyed(&operator, path, "bob", &bob).await;
    other.expect(201);
    let account = format!("{path}/{}", text(&made, "id"));
    operator.delete(&account).await.expect(200);

    let left = "idempotency_keys as k where k::text ilike '%ada%@%'";
    assert_eq!(count(&stack, left).await, 0);
    let again = keyed(&operator, path, "ada", &ada).await;
    let erased = again.expect(201);
    assert!(is_replayed(&again));
    assert_eq!(erased["id"], made["id"]);
    assert_eq!(
        (&erased["name"], &erased["email"]),
        (&Value::Null, &Value::Null)
    );
    let again = keyed(&operator, path, "bob", &bob).await;
    assert_eq!((again.status, &again.text), (201, &other.text));
    problem(
        &keyed(&operator, path, "ada", &bob).await,
        422,
        "IDEMPOTENCY_KEY_REUSED",
    );
}
