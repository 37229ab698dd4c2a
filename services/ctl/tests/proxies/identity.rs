//! What the application is told of the caller comes from Tollkeeper alone.

use std::sync::Arc;

use serde_json::json;

use crate::Surroundings;
use crate::application::Seen;
use crate::proxy::Proxy;
use crate::traffic::issued;
use crate::visitor::{Visitor, status};

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

pub(crate) async fn run(around: &Surroundings, proxy: &Proxy) -> Vec<Arc<Visitor>> {
    let reader = issued(around, "reader", json!(["site:read", "orders:*"])).await;
    tricks(around, proxy, &reader, Some("orders:* site:read")).await;
    for path in PATHS {
        pass(around, proxy, &reader, path, &[]).await;
    }
    // Two credentials where one is asked for.
    let key = format!("X-API-Key: {}", reader.token.as_deref().unwrap());
    let answer = reader.send_raw(proxy.address, "/api/key", &[&key]).await;
    assert_eq!(status(&answer), 200);
    let twice = ["X-API-Key: tk_live_a", &key];
    let quiet = Visitor::new("reader", reader.token.as_deref(), None);
    let answer = quiet.send_raw(proxy.address, "/api/twice", &twice).await;
    assert_eq!(status(&answer), 401, "{answer}");
    refusals(around, proxy).await;
    vec![reader]
}

/// Whoever is refused is told why.
async fn refusals(around: &Surroundings, proxy: &Proxy) {
    let before = around.application.seen().len();
    let nobody = Visitor::new("nobody", None, None);
    let answer = nobody.send_raw(proxy.address, "/api/", &[]).await;
    let answer = answer.to_lowercase();
    assert!(
        answer.contains("\r\nwww-authenticate: bearer realm="),
        "{answer}"
    );
    let stranger = Visitor::new("malformed", Some("tk_live_0123"), None);
    let answer = stranger.send_raw(proxy.address, "/api/", &[]).await;
    let answer = answer.to_lowercase();
    assert!(
        answer.contains("\r\nx-tollkeeper-code: malformed\r\n"),
        "{answer}"
    );
    assert_eq!(around.application.seen().len(), before);
}

/// A token without scopes, where none is asked for: the empty header is no room for a forged one.
pub(crate) async fn without_scopes(around: &Surroundings, proxy: &Proxy) -> Vec<Arc<Visitor>> {
    let plain = issued(around, "plain", json!([])).await;
    tricks(around, proxy, &plain, None).await;
    vec![plain]
}

/// Every trick is refused by the proxy itself, or comes to nothing.
async fn tricks(around: &Surroundings, proxy: &Proxy, who: &Visitor, scopes: Option<&str>) {
    for lines in TRICKS {
        if pass(around, proxy, who, "/api/tricks", lines).await {
            told(&around.application.last(), around, who, scopes, lines);
        }
    }
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
