//! Tokens that other systems issued, wherever a credential is read.

use reqwest::Method;
use serde_json::json;
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{Stack, wait_for};

use crate::leaks::{Partner, found};
use crate::support::{forward_auth, problem, text, verified_as, verify, with_header};
use crate::tokens_import::{call, hash};

const SHAPES: (&str, &str) = (
    "TOLLKEEPER_LEGACY_TOKEN_SHAPES",
    "old_:base62:32, dot.:dotted:20-40, :hex:40",
);

const PREFIXED: &str = "old_0123456789abcdefghijABCDEFGHIJ01";
const DOTTED: &str = "dot.aaaaaaaaaaaa.bbbbbbbbbbbb";
const BARE: &str = "0123456789abcdef0123456789abcdef01234567";
/// In none of the shapes.
const SHAPELESS: &str = "other_0123456789abcdefghij";

async fn import(operator: &Person, tokens: &[&str], scopes: &[&str]) -> Vec<String> {
    let account = operator.account(&format!("of {}", hash(tokens[0]))).await;
    let mut body = call(&account, tokens);
    for token in body["tokens"].as_array_mut().unwrap() {
        token["scopes"] = json!(scopes);
    }
    let made = operator.post("/v1/tokens/import", body).await.expect(201);
    let ids = made["ids"].as_array().unwrap().iter();
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

async fn introspect(api: &Node, token: &str) -> serde_json::Value {
    let request = api.operator().request(Method::POST, "/oauth/introspect");
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("token={token}"));
    Person::send(request).await.expect(200)
}

async fn whoami(api: &Node, header: (&str, &str)) -> tollkeeper_testkit::stack::Answer {
    with_header(&api.nobody(), Method::GET, "/v1/whoami", header, None).await
}

#[tokio::test]
async fn imported_tokens_work_wherever_a_credential_is_read() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[SHAPES]).await;
    let operator = api.operator();
    // Asked for before they are known: that they were not must not be remembered.
    for token in [PREFIXED, DOTTED, BARE] {
        assert_eq!(verify(&operator, token).await["code"], "NOT_FOUND");
    }
    let ids = import(&operator, &[PREFIXED, DOTTED, BARE], &["orders:read"]).await;
    for (token, id) in [PREFIXED, DOTTED, BARE].into_iter().zip(&ids) {
        let verified = verify(&operator, token).await;
        assert_eq!(
            (&verified["code"], &verified["token_id"]),
            (&json!("VALID"), &json!(id))
        );
        let introspected = introspect(&api, token).await;
        assert_eq!(
            (&introspected["active"], &introspected["jti"]),
            (&json!(true), &json!(id))
        );
        let checked = "/v1/forward-auth?scope=orders:read";
        let key = ("X-API-Key", token);
        let answer = with_header(&api.nobody(), Method::GET, checked, key, None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("x-tollkeeper-token-id"), Some(id.as_str()));
        let me = whoami(&api, ("X-API-Key", token)).await.expect(200);
        assert_eq!(me["token"]["id"], json!(id));
    }
    for token in [PREFIXED, BARE] {
        assert_eq!(forward_auth(&api, token, "").await.status, 200);
        let bearer = format!("Bearer {token}");
        whoami(&api, ("Authorization", &bearer)).await.expect(200);
    }
    // Three parts with dots between them are a JWT there, whatever the shapes say.
    let refused = forward_auth(&api, DOTTED, "").await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (401, "MALFORMED")
    );
    let bearer = format!("Bearer {DOTTED}");
    problem(
        &whoami(&api, ("Authorization", &bearer)).await,
        401,
        "INVALID_JWT",
    );
}

#[tokio::test]
async fn what_has_no_shape_is_not_looked_up() {
    let mut stack = Stack::bare().await;
    let (with, without) = (stack.api(&[SHAPES]).await, stack.api(&[]).await);
    import(&with.operator(), &[PREFIXED, SHAPELESS], &[]).await;
    for (api, token) in [
        (&with, SHAPELESS),
        (&without, SHAPELESS),
        (&without, PREFIXED),
    ] {
        let operator = api.operator();
        assert_eq!(verify(&operator, token).await["code"], "MALFORMED");
        assert_eq!(forward_auth(api, token, "").await.code(), "MALFORMED");
        assert_eq!(introspect(api, token).await, json!({ "active": false }));
        problem(&whoami(api, ("X-API-Key", token)).await, 401, "MALFORMED");
    }
    // With a shape, what nobody imported is unknown; what begins like ours needs its checksum.
    let operator = with.operator();
    let unknown = format!("old_{}", "z".repeat(32));
    assert_eq!(verify(&operator, &unknown).await["code"], "NOT_FOUND");
    let own = format!("tk_live_{}", "0".repeat(38));
    assert_eq!(verify(&operator, &own).await["code"], "MALFORMED");
}

#[tokio::test]
async fn an_imported_token_is_rotated_to_one_of_our_own() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[SHAPES]).await;
    let operator = api.operator();
    let ids = import(&operator, &[PREFIXED], &["orders:read"]).await;
    verified_as(&operator, PREFIXED, "VALID").await;
    let path = format!("/v1/tokens/{}", ids[0]);
    let rotate = json!({ "grace_seconds": 600 });
    let rotated = operator
        .post(&format!("{path}/rotate"), rotate)
        .await
        .expect(200);
    let own = text(&rotated, "token");
    assert!(own.starts_with("tk_live_"), "our own form");
    assert_eq!(text(&rotated, "token_prefix"), &own[..12]);
    for token in [PREFIXED, own] {
        let verified = verify(&operator, token).await;
        assert_eq!(
            (&verified["code"], &verified["token_id"]),
            (&json!("VALID"), &json!(ids[0]))
        );
    }
    let again = operator
        .post(&format!("{path}/rotate"), json!({}))
        .await
        .expect(200);
    for (token, code) in [
        (PREFIXED, "EXPIRED"),
        (own, "EXPIRED"),
        (text(&again, "token"), "VALID"),
    ] {
        verified_as(&operator, token, code).await;
    }
    operator.delete(&path).await.expect(200);
    verified_as(&operator, PREFIXED, "REVOKED").await;
}

#[tokio::test]
async fn a_leaked_imported_token_is_ended_whatever_its_shape() {
    let partner = Partner::new();
    let mut stack = Stack::bare().await;
    let keys = partner.path();
    let api = stack.api(&[SHAPES, ("TOLLKEEPER_LEAK_KEYS", &keys)]).await;
    let operator = api.operator();
    let ids = import(&operator, &[PREFIXED, SHAPELESS], &[]).await;
    let report = json!([found(PREFIXED), found(SHAPELESS)]);
    let labels = partner.report(&api, &report).await.expect(200);
    for (label, id) in labels.as_array().unwrap().iter().zip(&ids) {
        assert_eq!(label["label"], "true_positive");
        let token = operator.get(&format!("/v1/tokens/{id}")).await.expect(200);
        assert_eq!(token["revocation_reason"], "leaked");
    }
    verified_as(&operator, PREFIXED, "REVOKED").await;
    wait_for("the report to be logged", async || {
        api.log_text().contains("reported as leaked")
    })
    .await;
    assert!(!api.log_text().contains(PREFIXED), "the place names it");
}

#[tokio::test]
async fn legacy_secrets_are_kept_out_of_logs_answers_and_usage() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[SHAPES, ("TOLLKEEPER_LOG", "debug")]).await;
    let ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let ids = import(&operator, &[PREFIXED, BARE], &["tollkeeper:tokens.read"]).await;

    let path = format!("/v1/forward-auth/k/{PREFIXED}/{BARE}/x");
    let agent = format!("curl {BARE}");
    let agent = ("User-Agent", agent.as_str());
    let answer = with_header(&api.bearer(PREFIXED), Method::GET, &path, agent, None).await;
    assert_eq!(answer.status, 200);
    // Put where none belongs, so that the answer repeats what was read.
    let mut answers = vec![
        api.bearer(PREFIXED)
            .get(&format!("/v1/tokens?{BARE}=1"))
            .await,
    ];
    for token in [PREFIXED, BARE] {
        let odd = json!({ "token": "x", token: 1 });
        answers.push(operator.post("/v1/verify", odd).await);
        let odd = json!({ "token": token, "scopes": [token], "environment": token });
        answers.push(operator.post("/v1/verify", odd).await);
        let unknown = format!("old_{}", "z".repeat(32));
        answers.push(api.bearer(&unknown).get("/v1/tokens").await);
        answers.push(
            api.bearer(token)
                .delete(&format!("/v1/tokens/{}", ids[0]))
                .await,
        );
    }
    for answer in &answers {
        assert!((400..500).contains(&answer.status), "{}", answer.text);
        for token in [PREFIXED, BARE] {
            assert!(!answer.text.contains(token), "{}", answer.text);
        }
    }
    let usage = async || {
        let rows = sqlx::query_as::<_, (String, String)>(
            "select endpoint, user_agent from api_token_usage",
        );
        rows.fetch_all(&stack.database.pool).await.unwrap()
    };
    wait_for("the request to be counted", async || {
        !usage().await.is_empty()
    })
    .await;
    let (endpoint, agent) = usage().await.remove(0);
    assert_eq!(endpoint, "/k/[redacted]/[redacted]/x");
    assert_eq!(agent, "curl [redacted]");
    for log in [api.log_text(), ingestor.log_text()] {
        for token in [PREFIXED, BARE] {
            assert!(!log.contains(token), "{log}");
            assert!(!log.contains(&hash(token)), "{log}");
        }
    }
}

#[tokio::test]
async fn shapes_that_are_none_stop_the_start() {
    let mut stack = Stack::bare().await;
    for (shapes, why) in [
        (
            "old_:hex",
            "`old_:hex` is not of the form prefix:alphabet:length",
        ),
        ("old_:base61:32", "the alphabet of `old_:base61:32`"),
        ("old_:hex:8", "the length of `old_:hex:8`"),
        (
            "tk_live_:base62:38",
            "begins like the tokens that are issued here",
        ),
    ] {
        let api = stack.starting_api(&[("TOLLKEEPER_LEGACY_TOKEN_SHAPES", shapes)]);
        wait_for(shapes, async || {
            let log = api.log_text();
            log.contains("cannot start: TOLLKEEPER_LEGACY_TOKEN_SHAPES: ") && log.contains(why)
        })
        .await;
    }
}
