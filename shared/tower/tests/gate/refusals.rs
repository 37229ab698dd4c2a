//! A layer answers as `/v1/forward-auth` does, and tells the service who calls.

use axum::routing::get;
use axum::{Extension, Router};
use chrono::TimeDelta;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_domain::secret::{Environment, TokenSecret};
use tollkeeper_testkit::http_client;
use tollkeeper_tower::Caller;

use crate::support::{House, Reads, serve};

/// The headers of one request.
type Headers<'a> = Vec<(&'a str, String)>;

struct Seen {
    status: u16,
    headers: HeaderMap,
    body: String,
}

async fn ask(url: &str, headers: &Headers<'_>) -> Seen {
    let mut request = http_client().get(url).header("X-Request-Id", "request-7");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let response = request.send().await.unwrap();
    let mut headers = response.headers().clone();
    headers.remove("date");
    Seen {
        status: response.status().as_u16(),
        headers,
        body: response.text().await.unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_those_of_forward_auth_by_postgres() {
    refusals_are_those_of_forward_auth(Reads::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_those_of_forward_auth_by_the_api() {
    refusals_are_those_of_forward_auth(Reads::Api).await;
}

async fn refusals_are_those_of_forward_auth(reads: Reads) {
    let house = House::where_gates_read(reads).await;
    let gate = house.gate().await;
    let layer = gate.layer().scopes(["orders:read", "a.b"]).unwrap();
    let app = Router::new()
        .route("/", get(async || "passed"))
        .layer(layer.environment(Environment::Live));
    let here = format!("http://{}/", serve(app).await);
    let there = format!(
        "http://{}/v1/forward-auth?scope=orders:read&scope=a.b&env=live",
        house.api.public
    );

    let scopes = json!({ "scopes": ["orders:*", "a.b"] });
    let with = |fields: Value| {
        let mut all = scopes.clone();
        for (name, value) in fields.as_object().unwrap() {
            all[name] = value.clone();
        }
        all
    };
    let good = house.issue(scopes.clone()).await;
    let account = good.account.clone();
    let issue = async |fields: Value| house.issue_for(&account, with(fields)).await;
    let revoked = issue(json!({})).await;
    let suspended = issue(json!({})).await;
    let closed = house.operator.account("closed").await;
    let of_closed = house.issue_for(&closed, scopes.clone()).await;
    for (path, token) in [("suspend", &suspended.id), ("suspend", &closed)] {
        let kind = if *token == closed {
            "accounts"
        } else {
            "tokens"
        };
        let path = format!("/v1/{kind}/{token}/{path}");
        let _ = house.operator.post(&path, json!({})).await.expect(200);
    }
    let path = format!("/v1/tokens/{}?wait=applied", revoked.id);
    let _ = house.operator.delete(&path).await.expect(200);
    let unknown = TokenSecret::generate(&"tk".parse().unwrap(), Environment::Live, |bytes| {
        bytes.fill(7);
    });

    let tomorrow = SystemClock.now() + TimeDelta::days(1);
    let bearer = |secret: &str| vec![("Authorization", format!("Bearer {secret}"))];
    let key = |secret: &str| ("X-API-Key", secret.to_owned());
    let cases: Vec<(&str, Headers<'_>)> = vec![
        ("", bearer(&good.secret)),
        (
            "",
            vec![key(&good.secret), ("Authorization", "Basic abc".to_owned())],
        ),
        ("UNAUTHENTICATED", vec![]),
        (
            "UNAUTHENTICATED",
            vec![("Authorization", "Basic abc".to_owned())],
        ),
        (
            "UNAUTHENTICATED",
            vec![key(&good.secret), key(&good.secret)],
        ),
        ("MALFORMED", bearer("a.b.c")),
        ("MALFORMED", bearer("tk_live_0123")),
        (
            "MALFORMED",
            vec![key("nonsense"), bearer(&good.secret).remove(0)],
        ),
        ("NOT_FOUND", bearer(unknown.expose())),
        ("REVOKED", bearer(&revoked.secret)),
        ("ACCOUNT_SUSPENDED", bearer(&of_closed.secret)),
        ("SUSPENDED", bearer(&suspended.secret)),
        (
            "NOT_YET_VALID",
            bearer(&issue(json!({ "not_before": tomorrow })).await.secret),
        ),
        (
            "WRONG_ENVIRONMENT",
            bearer(&issue(json!({ "environment": "test" })).await.secret),
        ),
        (
            "IP_NOT_ALLOWED",
            bearer(
                &issue(json!({ "allowed_cidrs": ["192.0.2.0/24"] }))
                    .await
                    .secret,
            ),
        ),
        (
            "INSUFFICIENT_SCOPE",
            bearer(&issue(json!({ "scopes": ["orders:read"] })).await.secret),
        ),
    ];
    for (code, headers) in cases {
        let (mine, theirs) = (ask(&here, &headers).await, ask(&there, &headers).await);
        assert_eq!(mine.status, theirs.status, "{code}: {}", mine.body);
        if code.is_empty() {
            assert_eq!((mine.status, &*mine.body), (200, "passed"));
            continue;
        }
        assert_eq!(mine.headers, theirs.headers, "{code}");
        assert_eq!(mine.body, theirs.body, "{code}");
        let body: Value = serde_json::from_str(&mine.body).unwrap();
        assert_eq!(body["code"], code);
        assert_eq!(body["request_id"], "request-7");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_learns_who_calls_from_the_gate_alone() {
    let house = House::new().await;
    let gate = house.gate().await;
    let token = house
        .issue(json!({ "scopes": ["orders:read"], "allowed_cidrs": ["127.0.0.1", "192.0.2.9"] }))
        .await;
    let tell = async |Extension(caller): Extension<Caller>, headers: HeaderMap| {
        let ours = headers
            .keys()
            .filter(|name| name.as_str().starts_with("x-tollkeeper"));
        let told = json!({
            "token": caller.token_id().to_string(),
            "account": caller.account_id().to_string(),
            "environment": caller.environment().as_str(),
            "version": caller.version(),
            "scopes": caller.scopes(),
            "may": [caller.may("orders:read"), caller.may("orders:write")],
            "headers": ours.count(),
        });
        told.to_string()
    };
    let app = Router::new().route("/", get(tell)).layer(gate.layer());
    let here = format!("http://{}/", serve(app).await);
    let mut headers = vec![("Authorization", format!("Bearer {}", token.secret))];
    for forged in [
        "X-Tollkeeper-Token-Id",
        "X-Tollkeeper-Scopes",
        "X_Tollkeeper_Account_Id",
    ] {
        headers.push((forged, "forged".to_owned()));
    }
    let told: Value = serde_json::from_str(&ask(&here, &headers).await.body).unwrap();
    let expected = json!({
        "token": token.id,
        "account": token.account,
        "environment": "live",
        "version": 1,
        "scopes": ["orders:read"],
        "may": [true, false],
        "headers": 0,
    });
    assert_eq!(told, expected);

    // The loopback is a trusted proxy: whoever it names is the client.
    for (client, status) in [
        ("192.0.2.9", 200),
        ("192.0.2.10", 403),
        ("1.1.1.1, 192.0.2.9", 200),
    ] {
        let mut forwarded = headers.clone();
        forwarded.push(("X-Forwarded-For", client.to_owned()));
        assert_eq!(ask(&here, &forwarded).await.status, status, "{client}");
    }
}
