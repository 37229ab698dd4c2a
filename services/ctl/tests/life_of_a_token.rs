//! One token through most of what can happen to one, and what can be proven of it afterwards: its
//! history, what it was at each moment, and that nobody changed a byte of that since.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::{EncodePublicKey, LineEnding};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Executor, PgPool};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Node, Person};

/// Each event of the life, and what `as_of` its moment answers for state and version.
const LIFE: [(&str, &str); 6] = [
    ("TokenIssued", "active"),
    ("TokenRotated", "active"),
    ("TokenSuspended", "suspended"),
    ("TokenResumed", "active"),
    ("TokenScopesChanged", "active"),
    ("TokenRevoked", "revoked"),
];

#[tokio::test]
async fn a_leaked_tokens_life_is_told_and_one_changed_byte_of_it_is_found() {
    let mut stack = Stack::bare().await;
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    let partner = SigningKey::from_slice(&[9; 32]).unwrap();
    fs::write(&keys, published(&partner)).unwrap();
    let api = stack
        .api(&[("TOLLKEEPER_LEAK_KEYS", keys.to_str().unwrap())])
        .await;
    let operator = api.operator();
    let path = live(&operator, &api, &partner).await;

    let history = operator.get(&format!("{path}/events")).await.expect(200);
    let events = history["items"].as_array().unwrap();
    let types: Vec<_> = events
        .iter()
        .map(|it| it["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, LIFE.map(|(kind, _)| kind));
    assert_eq!(events[5]["payload"]["reason"], "leaked");
    assert_eq!(events[5]["actor"], "system:leak-intake");
    for (version, (event, (kind, state))) in (1..).zip(events.iter().zip(LIFE)) {
        let moment = event["recorded_at"].as_str().unwrap();
        let then = operator
            .get(&format!("{path}?as_of={moment}"))
            .await
            .expect(200);
        assert_eq!(
            (&then["state"], &then["version"]),
            (&json!(state), &json!(version)),
            "{kind}"
        );
        println!("{version}  {moment}  {kind:<19} as_of: {state}");
    }

    let before = verify(&stack.database.url);
    assert!(before.status.success(), "{before:?}");
    let resumed = events[3]["position"].as_i64().unwrap();
    change_one_byte(&stack.database.pool, resumed).await;
    let after = verify(&stack.database.url);
    assert_eq!(after.status.code(), Some(1));
    let said = String::from_utf8(after.stderr).unwrap();
    let expected = format!("the chain is broken at event {resumed}");
    assert!(said.contains(&expected), "{said}");
    println!("before: {}", String::from_utf8_lossy(&before.stdout).trim());
    println!("after:  {}", said.trim());
}

/// Issues a token and lives its life. Answers its path.
async fn live(operator: &Person, api: &Node, partner: &SigningKey) -> String {
    let account = operator.account("acme").await;
    let fields = json!({ "name": "deploy", "scopes": ["orders:read"] });
    let issued = operator.issue(&account, fields).await;
    let path = format!("/v1/tokens/{}", issued["id"].as_str().unwrap());
    let rotated = operator
        .post(&format!("{path}/rotate"), json!({ "grace_seconds": 60 }))
        .await
        .expect(200);
    for step in ["suspend", "resume"] {
        let answer = operator.post(&format!("{path}/{step}"), json!({})).await;
        answer.expect(200);
    }
    let change = json!({ "scopes": ["orders:read", "orders:write"] });
    operator.patch(&path, change).await.expect(200);

    let report = json!([{
        "token": rotated["token"], "type": "tollkeeper_token", "source": "content",
        "url": "https://example.com/blob/main/deploy.sh",
    }])
    .to_string();
    let signature: Signature = partner.sign(report.as_bytes());
    let report = api
        .nobody()
        .request(Method::POST, "/v1/leaks")
        .header("content-type", "application/json")
        .header("Github-Public-Key-Identifier", "now")
        .header(
            "Github-Public-Key-Signature",
            STANDARD.encode(signature.to_der()),
        )
        .body(report);
    Person::send(report).await.expect(200);
    path
}

fn published(key: &SigningKey) -> String {
    let pem = key
        .verifying_key()
        .to_public_key_pem(LineEnding::LF)
        .unwrap();
    let key: Value = json!({ "key_identifier": "now", "key": pem, "is_current": true });
    json!({ "public_keys": [key] }).to_string()
}

fn verify(database: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tollkeeper"))
        .args(["audit", "verify"])
        .env("TOLLKEEPER_DATABASE_URL", database)
        .output()
        .unwrap()
}

/// As one who owns the database could: the actor of an event gets another last letter.
async fn change_one_byte(pool: &PgPool, position: i64) {
    pool.execute("alter table events disable trigger user")
        .await
        .unwrap();
    let changed = sqlx::query(
        "update events set actor = overlay(actor placing 'x' from length(actor)) where position = $1",
    )
    .bind(position)
    .execute(pool)
    .await
    .unwrap();
    assert_eq!(changed.rows_affected(), 1);
}
