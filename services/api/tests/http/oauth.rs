//! Introspection (RFC 7662) and revocation (RFC 7009), by hand and by an OAuth client library.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Answer, Node, OPERATOR_KEY, Person};
use tollkeeper_testkit::{Stack, python_packages};

use crate::support::{manager, path_of, system_account, text, unissued, verified_as};

const INTROSPECT: &str = "/oauth/introspect";
const REVOKE: &str = "/oauth/revoke";

fn form(person: &Person, path: &str, body: &str) -> RequestBuilder {
    let request = person.request(Method::POST, path);
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.to_owned())
}

async fn ask(person: &Person, path: &str, token: &str) -> Answer {
    Person::send(form(person, path, &format!("token={token}"))).await
}

fn basic(secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("gateway:{secret}")))
}

/// An error as RFC 6749, section 5.2, wants it.
#[track_caller]
fn refused(answer: &Answer, status: u16, error: &str) {
    let body = answer.expect(status);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(body["error"], error, "{body}");
    assert!(body["error_description"].is_string(), "{body}");
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    assert_eq!(
        answer.header("www-authenticate").is_some(),
        status == 401 || status == 403
    );
}

async fn gateway(api: &Node) -> (String, Person) {
    let operator = api.operator();
    let system = system_account(&operator).await;
    let scopes = json!({ "scopes": ["tollkeeper:verify"] });
    let token = operator.issue(&system, scopes).await;
    let token = text(&token, "token").to_owned();
    let person = api.bearer(&token);
    (token, person)
}

#[tokio::test]
async fn a_token_that_works_is_described_and_another_is_not() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (_, gateway) = gateway(&api).await;
    let account = operator.account("crm-1").await;
    let fields = json!({ "scopes": ["orders:read", "users:*"], "expires_in_minutes": 60 });
    let issued = operator.issue(&account, fields).await;
    let answer = ask(&gateway, INTROSPECT, text(&issued, "token")).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let described = answer.expect(200);
    let end: chrono::DateTime<chrono::Utc> = text(&issued, "expires_at").parse().unwrap();
    assert_eq!(
        described,
        json!({
            "active": true, "scope": "orders:read users:*", "token_type": "Bearer",
            "exp": end.timestamp(), "sub": account, "jti": issued["id"],
            "account_id": account, "environment": "live", "version": 1,
        })
    );

    let inactive = json!({ "active": false });
    for junk in ["x", unissued().as_str()] {
        assert_eq!(ask(&gateway, INTROSPECT, junk).await.expect(200), inactive);
    }
    operator
        .post(&format!("{}/suspend", path_of(&issued)), json!({}))
        .await
        .expect(200);
    let suspended = ask(&gateway, INTROSPECT, text(&issued, "token")).await;
    assert_eq!(suspended.expect(200), inactive);

    // In its grace a secret ends with the grace.
    operator
        .post(&format!("{}/resume", path_of(&issued)), json!({}))
        .await
        .expect(200);
    let rotate = format!("{}/rotate", path_of(&issued));
    operator
        .post(&rotate, json!({ "grace_seconds": 600 }))
        .await
        .expect(200);
    let old = ask(&gateway, INTROSPECT, text(&issued, "token"))
        .await
        .expect(200);
    assert!(
        old["exp"].as_i64().unwrap() < end.timestamp() - 1000,
        "{old}"
    );
}

#[tokio::test]
async fn only_those_who_may_verify_are_told_and_of_their_own_account_alone() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (mine, theirs) = (
        operator.account("mine").await,
        operator.account("theirs").await,
    );
    let own = operator
        .issue(&mine, json!({ "scopes": ["tollkeeper:verify"] }))
        .await;
    let foreign = operator.issue(&theirs, json!({})).await;
    let asker = api.bearer(text(&own, "token"));
    let seen = ask(&asker, INTROSPECT, text(&own, "token"))
        .await
        .expect(200);
    assert_eq!(seen["active"], true);
    let hidden = ask(&asker, INTROSPECT, text(&foreign, "token"))
        .await
        .expect(200);
    assert_eq!(hidden, json!({ "active": false }));

    let nobody = ask(&api.nobody(), INTROSPECT, "x").await;
    refused(&nobody, 401, "invalid_client");
    assert_eq!(
        nobody.header("www-authenticate"),
        Some("Basic realm=\"tollkeeper\"")
    );
    refused(
        &ask(&api.bearer("junk"), INTROSPECT, "x").await,
        401,
        "invalid_client",
    );
    let plain = manager(&operator, &mine, &[]).await;
    let plain = api.bearer(text(&plain, "token"));
    refused(
        &ask(&plain, INTROSPECT, "x").await,
        403,
        "insufficient_scope",
    );
}

#[tokio::test]
async fn clients_say_who_they_are_in_every_way_there_is() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let (token, _) = gateway(&api).await;
    let nobody = api.nobody();
    let body = format!("token={token}");
    let with = |name: &str, value: &str| form(&nobody, INTROSPECT, &body).header(name, value);
    for request in [
        with("authorization", &basic(&token)),
        with("authorization", &basic(OPERATOR_KEY)),
        with("x-api-key", OPERATOR_KEY),
        with("authorization", &format!("Bearer {token}")),
        with("authorization", &basic(&token)).header("x-api-key", &token),
        form(
            &nobody,
            INTROSPECT,
            &format!("{body}&client_id=g&client_secret={token}"),
        ),
    ] {
        assert_eq!(Person::send(request).await.expect(200)["active"], true);
    }
    refused(
        &Person::send(with("authorization", &basic("junk"))).await,
        401,
        "invalid_client",
    );
    let bad = with("authorization", "Basic ???");
    refused(&Person::send(bad).await, 400, "invalid_request");
    let two = with("authorization", &basic(&token)).header("x-api-key", OPERATOR_KEY);
    refused(&Person::send(two).await, 400, "invalid_request");
    let posted = form(&nobody, INTROSPECT, &format!("{body}&client_secret=other"));
    let posted = posted.header("authorization", basic(&token));
    refused(&Person::send(posted).await, 400, "invalid_request");
}

#[tokio::test]
async fn bad_forms_are_told_in_the_way_of_oauth() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    for path in [INTROSPECT, REVOKE] {
        for body in ["", "token=", "tok=x", "token=a&token=b", "token=a&x=1&x=1"] {
            refused(
                &Person::send(form(&operator, path, body)).await,
                400,
                "invalid_request",
            );
        }
        let json = operator.post(path, json!({ "token": "x" })).await;
        refused(&json, 400, "invalid_request");
        let large = format!("token={}", "x".repeat(65 * 1024));
        refused(
            &Person::send(form(&operator, path, &large)).await,
            413,
            "invalid_request",
        );
        operator.get(path).await.expect(405);
    }
}

async fn events(stack: &Stack, token: &Value) -> Vec<(String, String)> {
    let id: uuid::Uuid = text(token, "id").parse().unwrap();
    sqlx::query_as("select type, actor from events where stream_id = $1 order by stream_version")
        .bind(id)
        .fetch_all(&stack.database.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn whoever_holds_a_token_may_end_it() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let nobody = api.nobody();
    let account = operator.account("crm-1").await;
    let issued = operator.issue(&account, json!({})).await;
    let kept = operator.issue(&account, json!({})).await;
    let answer = ask(&nobody, REVOKE, text(&issued, "token")).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    verified_as(&operator, text(&issued, "token"), "REVOKED").await;
    verified_as(&operator, text(&kept, "token"), "VALID").await;
    let actor = format!("token:{}", text(&issued, "id"));
    assert_eq!(
        events(&stack, &issued).await[1],
        ("TokenRevoked".to_owned(), actor)
    );

    // Unknown, malformed and ended ones are no error, and change nothing.
    for token in [text(&issued, "token"), unissued().as_str(), "x"] {
        assert_eq!(ask(&nobody, REVOKE, token).await.status, 200);
    }
    assert_eq!(events(&stack, &issued).await.len(), 2);

    // Not even a suspension keeps a holder from ending it, and a client is named.
    let (_, gateway) = gateway(&api).await;
    operator
        .post(&format!("{}/suspend", path_of(&kept)), json!({}))
        .await
        .expect(200);
    assert_eq!(
        ask(&gateway, REVOKE, text(&kept, "token")).await.status,
        200
    );
    let history = events(&stack, &kept).await;
    let (kind, actor) = history.last().unwrap();
    assert!(
        kind == "TokenRevoked" && actor.starts_with("token:") && !actor.contains(text(&kept, "id"))
    );
    refused(
        &ask(&api.bearer("junk"), REVOKE, "x").await,
        401,
        "invalid_client",
    );
}

#[tokio::test]
async fn a_secret_whose_grace_is_over_ends_nothing() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let issued = operator.issue(&account, json!({})).await;
    let rotate = format!("{}/rotate", path_of(&issued));
    let newer = operator.post(&rotate, json!({})).await.expect(200);
    assert_eq!(
        ask(&api.nobody(), REVOKE, text(&issued, "token"))
            .await
            .status,
        200
    );
    verified_as(&operator, text(&newer, "token"), "VALID").await;
}

/// What a program does with an OAuth client library, printed as JSON.
const CLIENT: &str = r#"
import json, sys
from authlib.integrations.requests_client import OAuth2Session

base, client_secret, token = sys.argv[1:]
said = []
for method in ["client_secret_basic", "client_secret_post"]:
    session = OAuth2Session("gateway", client_secret, token_endpoint_auth_method=method,
                            revocation_endpoint_auth_method=method)
    session.trust_env = False
    answer = session.introspect_token(base + "/oauth/introspect", token=token)
    said.append([answer.status_code, answer.json()["active"]])
answer = session.revoke_token(base + "/oauth/revoke", token=token, token_type_hint="access_token")
said.append([answer.status_code, None])
answer = session.introspect_token(base + "/oauth/introspect", token=token)
said.append([answer.status_code, answer.json()["active"]])
print(json.dumps(said))
"#;

#[tokio::test]
async fn an_oauth_client_library_introspects_and_revokes() {
    let library = python_packages("oauth-client", &["authlib>=1.6", "requests"]).await;
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (secret, _) = gateway(&api).await;
    let account = operator.account("crm-1").await;
    let issued = operator.issue(&account, json!({})).await;
    let base = format!("http://{}", api.public);
    let arguments = [
        "-c".to_owned(),
        CLIENT.to_owned(),
        base,
        secret,
        text(&issued, "token").to_owned(),
    ];
    let client = tokio::task::spawn_blocking(move || {
        let mut python = Command::new("python3");
        python.args(arguments).env("PYTHONPATH", library).output()
    });
    let output = client.await.unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        said,
        json!([[200, true], [200, true], [200, null], [200, false]])
    );
    verified_as(&operator, text(&issued, "token"), "REVOKED").await;
}
