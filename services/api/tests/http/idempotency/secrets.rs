//! The secret in an answer that is given again.

use serde_json::{Value, json};
use sqlx::PgPool;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Answer, Person};

use super::{count, done, is_replayed, keyed, token_for};
use crate::support::{path_of, text};
use crate::webhooks::SEAL_KEY;

const PATH: &str = "/v1/tokens";

/// The same answer but for the secret, which is null with the reason.
#[track_caller]
fn withheld(again: &Answer, first: &Value, member: &str, reason: &str) {
    assert!(is_replayed(again));
    let mut expected = first.clone();
    expected[member] = Value::Null;
    expected["withheld"] = json!(reason);
    assert_eq!(again.json(), expected);
}

/// Asks for a token, for the same in camelCase, and for a new secret.
async fn three_secrets(person: &Person, account: &str, token: &Value) -> Vec<Answer> {
    let rotate = format!("{}/rotate", path_of(token));
    vec![
        keyed(person, PATH, "k", &token_for(account)).await,
        keyed(person, "/api/tokens", "k", &json!({ "userId": "u" })).await,
        keyed(person, &rotate, "k", &json!({})).await,
    ]
}

async fn dump(pool: &PgPool) -> String {
    let rows: Vec<String> = sqlx::query_scalar("select k::text from idempotency_keys as k")
        .fetch_all(pool)
        .await
        .unwrap();
    rows.join("\n")
}

#[tokio::test]
async fn the_table_holds_no_secret_in_clear() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[SEAL_KEY]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let made = three_secrets(&operator, &account, &token).await;
    let hook = json!({ "url": "https://hooks.example.com/", "account_id": account });
    let hook = keyed(&operator, "/v1/webhooks", "k", &hook).await;
    let mut secrets = vec![text(&hook.expect(201), "secret").to_owned()];
    secrets.extend(made.iter().map(|it| text(&it.json(), "token").to_owned()));

    let held = dump(&stack.database.pool).await;
    assert_eq!(
        count(&stack, "idempotency_keys where sealed is not null").await,
        4
    );
    for secret in &secrets {
        // Without the brand and the part that is shown for recognition.
        let hidden = &secret[secret.len() - 20..];
        let in_hex: String = hidden.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!held.contains(hidden), "in clear");
        assert!(!held.contains(&in_hex), "in clear, as bytes");
        assert!(!api.log_text().contains(hidden), "in the log");
    }
}

#[tokio::test]
async fn after_ten_minutes_a_secret_is_withheld() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[SEAL_KEY]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let first = three_secrets(&operator, &account, &token).await;
    let nearly = "update idempotency_keys set created_at = created_at - interval '9 minutes',
        sealed_until = sealed_until - interval '9 minutes'";
    assert_eq!(done(&stack, nearly).await, 3);
    for (again, first) in three_secrets(&operator, &account, &token)
        .await
        .iter()
        .zip(&first)
    {
        assert_eq!(again.text, first.text);
    }
    let over = "update idempotency_keys set created_at = created_at - interval '1 minute',
        sealed_until = sealed_until - interval '1 minute'";
    assert_eq!(done(&stack, over).await, 3);
    // Before it is removed, and after.
    for _ in 0..2 {
        let late = three_secrets(&operator, &account, &token).await;
        for (again, first) in late.iter().zip(&first) {
            withheld(again, &first.json(), "token", "TOO_LATE");
            assert_eq!(again.header("etag"), first.header("etag"));
        }
        let removed = "update idempotency_keys set sealed = null, sealed_until = null";
        done(&stack, removed).await;
    }
    assert_eq!(count(&stack, "api_tokens").await, 3);
}

#[tokio::test]
async fn without_a_key_to_seal_with_a_secret_is_shown_once() {
    let mut stack = Stack::bare().await;
    let (api, sealing) = (stack.api(&[]).await, stack.api(&[SEAL_KEY]).await);
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let first = three_secrets(&operator, &account, &token).await;
    for operator in [&operator, &sealing.operator()] {
        let later = three_secrets(operator, &account, &token).await;
        for (again, first) in later.iter().zip(&first) {
            withheld(again, &first.json(), "token", "NO_SEAL_KEY");
        }
    }
    assert_eq!(count(&stack, "api_tokens").await, 3);
}

#[tokio::test]
async fn a_sealed_secret_opens_for_its_own_request_and_with_its_own_key_alone() {
    let mut stack = Stack::bare().await;
    let other_key = "other:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
    let newer = format!("{other_key},{}", SEAL_KEY.1);
    let api = stack.api(&[SEAL_KEY]).await;
    let replaced = stack.api(&[("TOLLKEEPER_SEAL_KEYS", &newer)]).await;
    let gone = stack.api(&[("TOLLKEEPER_SEAL_KEYS", other_key)]).await;
    let none = stack.api(&[]).await;
    let operator = api.operator();
    let body = token_for(&operator.account("crm-1").await);
    let first = keyed(&operator, PATH, "a", &body).await;
    keyed(&operator, PATH, "b", &body).await.expect(201);

    let again = keyed(&replaced.operator(), PATH, "a", &body).await;
    assert_eq!(again.text, first.text, "an older key opens");
    let again = keyed(&gone.operator(), PATH, "a", &body).await;
    withheld(&again, &first.json(), "token", "SEAL_KEY_GONE");
    let again = keyed(&none.operator(), PATH, "a", &body).await;
    withheld(&again, &first.json(), "token", "NO_SEAL_KEY");

    // Whoever can write the table cannot have one request's secret shown to another.
    let moved = "update idempotency_keys as k set sealed = o.sealed from idempotency_keys as o
        where k.key = 'a' and o.key = 'b'";
    assert_eq!(done(&stack, moved).await, 1);
    let again = keyed(&operator, PATH, "a", &body).await;
    withheld(&again, &first.json(), "token", "SEAL_KEY_GONE");
}
