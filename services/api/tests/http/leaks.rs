//! Reports of leaked tokens.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::{EncodePublicKey, LineEnding};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tollkeeper_testkit::stack::{Answer, Node, Person};
use tollkeeper_testkit::{Stack, wait_for};

use crate::every_operation::faults::damage;
use crate::support::{bad_fields, path_of, problem, text, unissued, unsigned_problem, verified_as};

/// A partner with its key, which it publishes in a file.
pub(crate) struct Partner {
    key: SigningKey,
    folder: TempDir,
}

impl Partner {
    pub(crate) fn new() -> Self {
        let partner = Self {
            key: SigningKey::from_slice(&[9; 32]).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        partner.publish(&partner.key);
        partner
    }

    pub(crate) fn path(&self) -> String {
        let path = self.folder.path().join("keys.json");
        path.to_str().unwrap().to_owned()
    }

    fn publish(&self, key: &SigningKey) {
        let pem = key
            .verifying_key()
            .to_public_key_pem(LineEnding::LF)
            .unwrap();
        let keys = json!({ "public_keys": [
            { "key_identifier": "now", "key": pem, "is_current": true }
        ]});
        fs::write(self.path(), keys.to_string()).unwrap();
    }

    async fn report_bytes(&self, api: &Node, body: &[u8]) -> Answer {
        let signature: Signature = self.key.sign(body);
        let signature = STANDARD.encode(signature.to_der());
        Person::send(
            request(api, body)
                .header("Github-Public-Key-Identifier", "now")
                .header("Github-Public-Key-Signature", signature),
        )
        .await
    }

    pub(crate) async fn report(&self, api: &Node, body: &Value) -> Answer {
        self.report_bytes(api, body.to_string().as_bytes()).await
    }
}

fn request(api: &Node, body: &[u8]) -> reqwest::RequestBuilder {
    let request = api.nobody().request(Method::POST, "/v1/leaks");
    request
        .header("content-type", "application/json")
        .body(body.to_vec())
}

pub(crate) fn found(token: &str) -> Value {
    json!({
        "token": token, "type": "tollkeeper_token", "source": "content",
        "url": format!("https://example.com/blob/main/config?{token}"),
    })
}

async fn history(stack: &Stack, token: &Value) -> Vec<(String, String)> {
    let id: uuid::Uuid = text(token, "id").parse().unwrap();
    sqlx::query_as("select type, actor from events where stream_id = $1 order by stream_version")
        .bind(id)
        .fetch_all(&stack.database.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn our_tokens_are_revoked_and_others_ignored() {
    let partner = Partner::new();
    let mut stack = Stack::bare().await;
    let keys = partner.path();
    let api = stack.api(&[("TOLLKEEPER_LEAK_KEYS", &keys)]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let leaked = operator.issue(&account, json!({})).await;
    let kept = operator.issue(&account, json!({})).await;
    let (secret, other) = (text(&leaked, "token"), unissued());

    let report = json!([
        found(secret),
        found(&other),
        found("not a token"),
        found(secret)
    ]);
    let answer = partner.report(&api, &report).await;
    let labels: Vec<String> = answer
        .expect(200)
        .as_array()
        .unwrap()
        .iter()
        .map(|label| format!("{} {}", text(label, "token_type"), text(label, "label")))
        .collect();
    let (yes, no) = (
        "tollkeeper_token true_positive",
        "tollkeeper_token false_positive",
    );
    assert_eq!(labels, [yes, no, no, yes]);
    assert!(!answer.text.contains(secret) && !answer.text.contains(&other));

    verified_as(&operator, secret, "REVOKED").await;
    let shown = operator.get(&path_of(&leaked)).await.expect(200);
    assert_eq!(shown["revocation_reason"], "leaked");
    verified_as(&operator, text(&kept, "token"), "VALID").await;
    let events = history(&stack, &leaked).await;
    assert_eq!(
        events.last().unwrap(),
        &("TokenRevoked".to_owned(), "system:leak-intake".to_owned())
    );

    // The same report again, as partners send it when they had no answer.
    partner.report(&api, &report).await.expect(200);
    assert_eq!(history(&stack, &leaked).await.len(), events.len());
    let log = api.log_text();
    assert!(log.contains("a token was reported as leaked"));
    assert!(!log.contains(secret), "the token is in no log");
}

#[tokio::test]
async fn a_secret_that_opens_nothing_any_more_ends_nothing() {
    let partner = Partner::new();
    let mut stack = Stack::bare().await;
    let keys = partner.path();
    let api = stack.api(&[("TOLLKEEPER_LEAK_KEYS", &keys)]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let rotated = operator.issue(&account, json!({})).await;
    let rotate = format!("{}/rotate", path_of(&rotated));
    let newer = operator.post(&rotate, json!({})).await.expect(200);
    let answer = partner
        .report(&api, &json!([found(text(&rotated, "token"))]))
        .await;
    assert_eq!(answer.expect(200)[0]["label"], "true_positive");
    verified_as(&operator, text(&newer, "token"), "VALID").await;

    // In its grace it opens as much as the new one.
    let newest = operator
        .post(&rotate, json!({ "grace_seconds": 600 }))
        .await
        .expect(200);
    partner
        .report(&api, &json!([found(text(&newer, "token"))]))
        .await
        .expect(200);
    verified_as(&operator, text(&newest, "token"), "REVOKED").await;
}

#[tokio::test]
async fn the_policy_may_be_to_suspend() {
    let partner = Partner::new();
    let mut stack = Stack::bare().await;
    let keys = partner.path();
    let settings = [
        ("TOLLKEEPER_LEAK_KEYS", keys.as_str()),
        ("TOLLKEEPER_LEAK_POLICY", "suspend"),
    ];
    let api = stack.api(&settings).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let leaked = operator.issue(&account, json!({})).await;
    partner
        .report(&api, &json!([found(text(&leaked, "token"))]))
        .await
        .expect(200);
    verified_as(&operator, text(&leaked, "token"), "SUSPENDED").await;
}

#[tokio::test]
async fn only_signed_reports_are_read() {
    let partner = Partner::new();
    let mut stack = Stack::bare().await;
    let keys = partner.path();
    let api = stack.api(&[("TOLLKEEPER_LEAK_KEYS", &keys)]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let report = json!([found(text(&token, "token"))]).to_string();
    let body = report.as_bytes();
    let stranger = SigningKey::from_slice(&[8; 32]).unwrap();
    let signature = |key: &SigningKey, body: &[u8]| {
        let signature: Signature = key.sign(body);
        STANDARD.encode(signature.to_der())
    };
    let good = signature(&partner.key, body);
    for (identifier, signature) in [
        (None, None),
        (Some("now"), None),
        (None, Some(good.clone())),
        (Some("then"), Some(good.clone())),
        (Some("now"), Some(signature(&stranger, body))),
        (Some("now"), Some(signature(&partner.key, b"[]"))),
        (Some("now"), Some("junk".to_owned())),
    ] {
        let mut request = request(&api, body);
        if let Some(identifier) = identifier {
            request = request.header("Github-Public-Key-Identifier", identifier);
        }
        if let Some(signature) = signature {
            request = request.header("Github-Public-Key-Signature", signature);
        }
        problem(&Person::send(request).await, 403, "BAD_SIGNATURE");
    }
    let twice = request(&api, body)
        .header("Github-Public-Key-Identifier", "now")
        .header("Github-Public-Key-Signature", &good)
        .header("Github-Public-Key-Signature", &good);
    problem(&Person::send(twice).await, 403, "BAD_SIGNATURE");
    verified_as(&operator, text(&token, "token"), "VALID").await;

    // A partner that replaces its key is followed without a restart.
    let next = Partner {
        key: stranger,
        folder: partner.folder,
    };
    next.publish(&next.key);
    next.report_bytes(&api, body).await.expect(200);
    verified_as(&operator, text(&token, "token"), "REVOKED").await;
    fs::remove_file(next.path()).unwrap();
    problem(&next.report_bytes(&api, body).await, 503, "UNAVAILABLE");
}

#[tokio::test]
async fn what_is_no_report_is_refused() {
    let partner = Partner::new();
    let mut stack = Stack::bare().await;
    let keys = partner.path();
    let api = stack.api(&[("TOLLKEEPER_LEAK_KEYS", &keys)]).await;
    problem(
        &partner.report_bytes(&api, b"[{").await,
        400,
        "MALFORMED_JSON",
    );
    bad_fields(&partner.report(&api, &json!({})).await, &[""]);
    bad_fields(
        &partner
            .report(&api, &json!([{ "token": 1, "type": "x" }]))
            .await,
        &["/0/token"],
    );
    bad_fields(
        &partner
            .report(&api, &json!([found("a"), { "token": "x" }]))
            .await,
        &["/1"],
    );
    let long = "x".repeat(5000);
    bad_fields(
        &partner
            .report(&api, &json!([found("a"), found(&long)]))
            .await,
        &["/1/token"],
    );
    let many = vec![found("a"); 1001];
    bad_fields(&partner.report(&api, &json!(many)).await, &[""]);
    let most = vec![found("a"); 1000];
    partner.report(&api, &json!(most)).await.expect(200);
    partner.report(&api, &json!([])).await.expect(200);
    let huge = format!("[{}]", " ".repeat(1024 * 1024));
    problem(
        &partner.report_bytes(&api, huge.as_bytes()).await,
        413,
        "BODY_TOO_LARGE",
    );
    let method = api.nobody().get("/v1/leaks").await;
    problem(&method, 405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn a_report_that_cannot_be_dealt_with_is_not_taken() {
    let partner = Partner::new();
    let mut stack = Stack::bare().await;
    let keys = partner.path();
    let api = stack.api(&[("TOLLKEEPER_LEAK_KEYS", &keys)]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let leaked = operator.issue(&account, json!({})).await;
    damage(&stack).await;
    let report = json!([found(text(&leaked, "token"))]);
    problem(&partner.report(&api, &report).await, 500, "INTERNAL");
}

#[tokio::test]
async fn without_keys_there_is_no_such_path_and_bad_keys_stop_the_start() {
    let partner = Partner::new();
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let answer = partner.report(&api, &json!([])).await;
    unsigned_problem(&answer, 404, "NOT_FOUND");
    for content in [
        "{}",
        r#"{"public_keys":[{"key_identifier":"a","key":"b"}]}"#,
    ] {
        fs::write(partner.path(), content).unwrap();
        let keys = partner.path();
        let api = stack.starting_api(&[("TOLLKEEPER_LEAK_KEYS", &keys)]);
        wait_for("the start to be given up", async || {
            let log = api.log_text();
            log.contains("cannot start: TOLLKEEPER_LEAK_KEYS")
        })
        .await;
    }
}

#[test]
fn the_documented_expression_finds_tokens_and_nothing_else() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/leaks.md");
    let guide = fs::read_to_string(guide).unwrap();
    let (_, rest) = guide.split_once("```regex\n").expect("an expression");
    let (expression, _) = rest.split_once('\n').unwrap();
    let expression = regex::Regex::new(expression).unwrap();
    for _ in 0..100 {
        let token = unissued();
        let text = format!("key = \"{token}\", // ours");
        let found: Vec<_> = expression.find_iter(&text).map(|it| it.as_str()).collect();
        assert_eq!(found, [token.as_str()]);
        for near in [
            token.replace("tk_", "tkx_"),
            token.replace("_live_", "_prod_"),
            token[..token.len() - 1].to_owned(),
            format!("{token}0"),
            format!("x{token}"),
        ] {
            assert!(!expression.is_match(&near), "{near}");
        }
    }
}
