//! `Idempotency-Key`: requests that are sent again.

mod crashes;
mod gate;
mod keys;
mod replays;
mod secrets;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Answer, Person};
use tollkeeper_testkit::wait_for_some;

use crate::support::{problem, with_header};

/// A `POST` with a key.
async fn keyed(person: &Person, path: &str, key: &str, body: &Value) -> Answer {
    let header = ("idempotency-key", key);
    with_header(person, Method::POST, path, header, Some(body.clone())).await
}

fn is_replayed(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

/// Sends a request until it is neither under way nor impossible for the moment.
async fn answered(person: &Person, path: &str, key: &str, body: &Value) -> Answer {
    wait_for_some("an answer", async || {
        let answer = keyed(person, path, key, body).await;
        match answer.status {
            409 => {
                problem(&answer, 409, "REQUEST_IN_FLIGHT");
                None
            }
            503 => None,
            _ => Some(answer),
        }
    })
    .await
}

/// What to ask for a token.
fn token_for(account: &str) -> Value {
    json!({ "account_id": account, "name": "ci" })
}

async fn count(stack: &Stack, table: &str) -> i64 {
    let count = format!("select count(*) from {table}");
    sqlx::query_scalar(AssertSqlSafe(count))
        .fetch_one(&stack.database.pool)
        .await
        .unwrap()
}

/// Does this to the database; tells how many rows it changed.
async fn done(stack: &Stack, statement: &'static str) -> u64 {
    let done = sqlx::query(statement).execute(&stack.database.pool).await;
    done.unwrap().rows_affected()
}

/// Makes every reservation one whose time is over.
async fn end_reservations(stack: &Stack) {
    let end = "update idempotency_keys set reserved_until = 'epoch' where status is null";
    assert_eq!(done(stack, end).await, 1);
}
