//! What the application is told of the caller comes from Tollkeeper alone.

use std::sync::Arc;

use serde_json::json;

use crate::Surroundings;
use crate::application::Seen;
use crate::proxy::Proxy;
use crate::traffic::issued;
use crate::visitor::{Visitor, header, status};

const OURS: [&str; 3] = [
    "x-tollkeeper-token-id",
    "x-tollkeeper-account-id",
    "x-tollkeeper-scopes",
];

/// Forged identities in every spelling, and headers that `Connection` has taken away.
const TRICKS: [&[&str]; 8] = [
    &[
        "X-Tollkeeper-Token-Id: forged",
        "X-TOLLKEEPER-SCOPES: forged",
    ],
    &[
        "x-tollkeeper-token-id: forged",
        "X-Tollkeeper-Token-ID: forged",
        "X-Tollkeeper-Scopes: a",
        "X-Tollkeeper-Scopes: b",
    ],
    &[
        "X_Tollkeeper_Token_Id: forged",
        "x_tollkeeper_account_id: forged",
        "X_TOLLKEEPER_SCOPES: forged",
    ],
    &[
        "X-Tollkeeper_Token-Id: forged",
        "X_Tollkeeper-Account-Id: forged",
        "x-tollkeeper_scopes: forged",
    ],
    &["Connection: close, X-Tollkeeper-Token-Id, X-Tollkeeper-Account-Id, X-Tollkeeper-Scopes"],
    &[
        "Connection: close, x-tollkeeper-scopes",
        "X-Tollkeeper-Scopes: forged",
    ],
    &[
        "Connection: x-tollkeeper-token-id , X-Forwarded-Uri, close, X-Forwarded-Method, X-Forwarded-For, X-Original-URI",
        "X-Forwarded-Uri: /forged",
        "X-Forwarded-For: 203.0.113.66",
    ],
    &[
        "TE: trailers",
        "Trailer: X-Tollkeeper-Scopes",
        "X-Tollkeeper-Scopes: forged",
    ],
];

/// Paths that proxies may rewrite: what is passed on is what was judged.
const PATHS: [&str; 7] = [
    "/api/a//b",
    "/api/a/./b",
    "/api/a/../b",
    "/api/a/%2e%2e/b",
    "/api/a%2fb",
    "/api/%61",
    "/api/?",
];

/// What a proxy refuses by itself shows nothing: as many of the tricks reach the application at least.
const LEAST_TRICKS: usize = 7;

/// And as many of the paths.
const LEAST_PATHS: usize = 6;

pub(crate) async fn run(around: &Surroundings, proxy: &Proxy) -> Vec<Arc<Visitor>> {
    let reader = issued(around, "reader", json!(["site:read", "orders:*"])).await;
    tricks(around, proxy, &reader, Some("orders:* site:read")).await;
    let mut passed = 0;
    for path in PATHS {
        passed += usize::from(pass(around, proxy, &reader, path, &[]).await);
    }
    assert!(passed >= LEAST_PATHS, "only {passed} paths have passed");
    // Two credentials where one is asked for.
    let key = format!("X-API-Key: {}", reader.token.as_deref().unwrap());
    let answer = reader.send_raw(proxy.address, "/api/key", &[&key]).await;
    assert_eq!(status(&answer), 200);
    let twice = ["X-API-Key: tk_live_a", &key];
    let quiet = Visitor::new("reader", reader.token.as_deref(), None);
    let answer = quiet.send_raw(proxy.address, "/api/twice", &twice).await;
    assert_eq!(status(&answer), 401, "{answer}");
    let writer = refusals(around, proxy).await;
    vec![reader, writer]
}

/// Whoever is refused is told why.
async fn refusals(around: &Surroundings, proxy: &Proxy) -> Arc<Visitor> {
    let before = around.application.seen().len();
    let nobody = Visitor::new("nobody", None, None);
    let answer = nobody.send_raw(proxy.address, "/api/", &[]).await;
    assert_eq!(status(&answer), 401, "{answer}");
    let challenge = header(&answer, "www-authenticate");
    assert_eq!(challenge, Some("Bearer realm=\"tollkeeper\""), "{answer}");
    let stranger = Visitor::new("malformed", Some("tk_live_0123"), None);
    let answer = stranger.send_raw(proxy.address, "/api/", &[]).await;
    assert_eq!(status(&answer), 401, "{answer}");
    assert_eq!(header(&answer, "x-tollkeeper-code"), Some("MALFORMED"));
    let challenge = header(&answer, "www-authenticate").unwrap_or_default();
    assert!(challenge.contains("error=\"invalid_token\""), "{answer}");
    let writer = issued(around, "writer", json!(["site:write"])).await;
    let answer = writer.send_raw(proxy.address, "/api/", &[]).await;
    assert_eq!(status(&answer), 403, "{answer}");
    let code = header(&answer, "x-tollkeeper-code");
    assert_eq!(code, Some("INSUFFICIENT_SCOPE"));
    let challenge = header(&answer, "www-authenticate").unwrap_or_default();
    let demanded = "error=\"insufficient_scope\", scope=\"site:read\"";
    assert!(challenge.contains(demanded), "{answer}");
    assert_eq!(around.application.seen().len(), before);
    writer
}

/// A token without scopes, where none is asked for: the empty header is no room for a forged one.
pub(crate) async fn without_scopes(around: &Surroundings, proxy: &Proxy) -> Vec<Arc<Visitor>> {
    let plain = issued(around, "plain", json!([])).await;
    tricks(around, proxy, &plain, None).await;
    vec![plain]
}

/// Every trick is refused by the proxy itself, or comes to nothing.
async fn tricks(around: &Surroundings, proxy: &Proxy, who: &Visitor, scopes: Option<&str>) {
    let mut passed = 0;
    for lines in TRICKS {
        if pass(around, proxy, who, "/api/tricks", lines).await {
            passed += 1;
            told(&around.application.last(), around, who, scopes, lines);
        }
    }
    assert!(passed >= LEAST_TRICKS, "only {passed} tricks have passed");
}

/// Sends a request that may pass, unless the proxy itself refuses or redirects it, which Tollkeeper
/// is not asked about. Says whether it has passed.
async fn pass(
    around: &Surroundings,
    proxy: &Proxy,
    who: &Visitor,
    path: &str,
    lines: &[&str],
) -> bool {
    let before = around.application.seen().len();
    let quiet = Visitor::new(who.label, who.token.as_deref(), None);
    let answer = quiet.send_raw(proxy.address, path, lines).await;
    let passed = status(&answer) == 200;
    if passed {
        who.count(200);
    } else {
        let refused = [307, 308, 400].contains(&status(&answer));
        assert!(refused, "{path}, {lines:?}: {answer}");
    }
    let reached = around.application.seen().len() - before;
    assert_eq!(reached, usize::from(passed), "{path}, {lines:?}");
    passed
}

/// The application was told who it is, once, and nothing else by any such name.
fn told(seen: &Seen, around: &Surroundings, who: &Visitor, scopes: Option<&str>, lines: &[&str]) {
    let values = OURS.map(|name| seen.header(name));
    let expected = [who.id.as_deref(), Some(around.account.as_str()), scopes];
    assert_eq!(values, expected, "{lines:?}: {seen:?}");
    let names = seen.identity_names();
    assert!(
        names.iter().all(|name| OURS.contains(name)),
        "{lines:?}: {names:?}"
    );
}
