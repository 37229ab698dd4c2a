//! A client whose token is used up is answered 429 and told when to come again; and nothing that it
//! writes makes a request cheaper.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::Surroundings;
use crate::programs::Kind;
use crate::proxy::Proxy;
use crate::traffic::issued_with;
use crate::visitor::{Visitor, header, status};

/// How many requests each of the tokens may send.
const MOST: usize = 3;

/// Ways in which a client may ask to be charged nothing.
const FREE: [&str; MOST] = [
    "/api/limited?cost=0",
    "/api/limited?a=1&cost=0&uri=/api/limited?cost=0",
    "/api/limited?&cost=0&scope=site:read&uri=",
];

/// A token with a rate limit, and one with a quota.
pub(crate) async fn run(kind: Kind, around: &Surroundings, proxy: &Proxy) -> Vec<Arc<Visitor>> {
    let limit = json!({ "name": "day", "limit": MOST, "window_seconds": 86_400, "burst": MOST });
    let limited = json!({ "scopes": ["site:read"], "rate_limits": [limit] });
    let quota = json!({ "name": "calls", "limit": MOST, "refill": "monthly" });
    let counted = json!({ "scopes": ["site:read"], "quotas": [quota] });
    vec![
        used_up(kind, around, proxy, limited, ("RATE_LIMITED", "\"day\"")).await,
        used_up(
            kind,
            around,
            proxy,
            counted,
            ("QUOTA_EXCEEDED", "\"quota:calls\""),
        )
        .await,
    ]
}

/// Uses a token up, and goes on.
async fn used_up(
    kind: Kind,
    around: &Surroundings,
    proxy: &Proxy,
    fields: Value,
    (code, name): (&str, &str),
) -> Arc<Visitor> {
    let visitor = issued_with(around, "limited", fields).await;
    // What a client says of its limits is not what it is told.
    let forged = ["RateLimit: forged", "RateLimit-Policy: forged"];
    for (number, path) in FREE.iter().enumerate() {
        let answer = visitor.send_raw(proxy.address, path, &forged).await;
        assert_eq!(status(&answer), 200, "{path}: {answer}");
        let left = format!("{name};r={};", MOST - 1 - number);
        told(&answer, kind.tells_what_is_left(), name, &left);
        assert_eq!(header(&answer, "retry-after"), None, "{answer}");
    }
    let before = around.application.seen().len();
    for path in FREE {
        let answer = visitor.send_raw(proxy.address, path, &forged).await;
        assert_eq!(status(&answer), 429, "{path}: {answer}");
        assert_eq!(header(&answer, "x-tollkeeper-code"), Some(code), "{answer}");
        told(&answer, true, name, &format!("{name};r=0;"));
        let wait = header(&answer, "retry-after").unwrap_or_default();
        assert!(wait.parse::<u64>().is_ok_and(|it| it > 0), "{answer}");
    }
    assert_eq!(around.application.seen().len(), before, "somebody passed");
    visitor
}

/// The client is told what is left, or nothing of limits.
fn told(answer: &str, expected: bool, name: &str, left: &str) {
    let policy = header(answer, "ratelimit-policy");
    let state = header(answer, "ratelimit");
    if expected {
        let (policy, state) = (policy.unwrap_or_default(), state.unwrap_or_default());
        assert!(policy.starts_with(&format!("{name};q=3")), "{answer}");
        assert!(state.starts_with(left), "{answer}");
    } else {
        assert_eq!((policy, state), (None, None), "{answer}");
    }
}
