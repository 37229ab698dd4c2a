//! The metrics of the public listener.
//!
//! Routes are templates, and there are no others than those listed here: what the router does not know
//! is [`OTHER`], so that made-up paths make no time series.

use metrics::Unit;

use crate::kinds::{Counter, DurationHistogram, Gauge};
use crate::labels::Label;

/// The method of a route that takes every method.
pub const ANY: &str = "any";

/// The route of reverse proxies, and of all paths below it.
pub const FORWARD_AUTH: &str = "/v1/forward-auth";

/// The route of all pages of the console.
pub const CONSOLE: &str = "/console";

/// The method and the route of what the router does not know.
pub const OTHER: &str = "other";

/// Statuses by their first digit, beginning with 2.
pub const STATUSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// Every method with every route that takes it.
pub const OPERATIONS: &[[&str; 2]] = &[
    ["GET", "/api/tokens"],
    ["POST", "/api/tokens"],
    ["GET", "/docs"],
    ["GET", "/docs/"],
    ["GET", "/docs/{name}"],
    ["POST", "/oauth/introspect"],
    ["POST", "/oauth/revoke"],
    ["GET", "/openapi.json"],
    ["GET", "/settings/api-tokens"],
    ["POST", "/settings/api-tokens"],
    ["GET", "/settings/api-tokens/{id}"],
    ["DELETE", "/settings/api-tokens/{id}"],
    ["GET", "/v1/accounts"],
    ["POST", "/v1/accounts"],
    ["GET", "/v1/accounts/{id}"],
    ["PATCH", "/v1/accounts/{id}"],
    ["DELETE", "/v1/accounts/{id}"],
    ["GET", "/v1/accounts/{id}/quotas"],
    ["POST", "/v1/accounts/{id}/quotas/{name}/refill"],
    ["POST", "/v1/accounts/{id}/resume"],
    ["POST", "/v1/accounts/{id}/suspend"],
    ["GET", "/v1/audit"],
    ["GET", "/v1/dead-letters"],
    ["POST", "/v1/dead-letters/replay"],
    ["GET", "/v1/dead-letters/{id}"],
    ["GET", "/v1/events"],
    ["POST", "/v1/leaks"],
    ["GET", "/v1/nodes"],
    ["POST", "/v1/nodes/balances"],
    ["GET", "/v1/nodes/events"],
    ["POST", "/v1/nodes/ledger"],
    ["POST", "/v1/nodes/lookup"],
    ["PUT", "/v1/nodes/{id}"],
    ["DELETE", "/v1/nodes/{id}"],
    ["PUT", "/v1/nodes/{id}/usage"],
    ["GET", "/v1/tokens"],
    ["POST", "/v1/tokens"],
    ["POST", "/v1/tokens/bulk-revoke"],
    ["GET", "/v1/tokens/bulk-revoke/{id}"],
    ["POST", "/v1/tokens/import"],
    ["GET", "/v1/tokens/{id}"],
    ["PATCH", "/v1/tokens/{id}"],
    ["DELETE", "/v1/tokens/{id}"],
    ["GET", "/v1/tokens/{id}/diff"],
    ["POST", "/v1/tokens/{id}/dry-run"],
    ["GET", "/v1/tokens/{id}/events"],
    ["GET", "/v1/tokens/{id}/exposure"],
    ["GET", "/v1/tokens/{id}/quotas"],
    ["POST", "/v1/tokens/{id}/quotas/{name}/refill"],
    ["POST", "/v1/tokens/{id}/resume"],
    ["POST", "/v1/tokens/{id}/rotate"],
    ["POST", "/v1/tokens/{id}/suspend"],
    ["GET", "/v1/tokens/{id}/usage"],
    ["GET", "/v1/tokens/{id}/usage/requests"],
    ["GET", "/v1/usage"],
    ["POST", "/v1/usage"],
    ["GET", "/v1/usage/completeness"],
    ["GET", "/v1/usage/tokens"],
    ["POST", "/v1/verify"],
    ["POST", "/v1/verify/batch"],
    ["GET", "/v1/webhooks"],
    ["POST", "/v1/webhooks"],
    ["GET", "/v1/webhooks/{id}"],
    ["PATCH", "/v1/webhooks/{id}"],
    ["DELETE", "/v1/webhooks/{id}"],
    ["GET", "/v1/webhooks/{id}/deliveries"],
    ["POST", "/v1/webhooks/{id}/replay"],
    ["POST", "/v1/webhooks/{id}/rotate-secret"],
    ["GET", "/v1/whoami"],
    [ANY, CONSOLE],
    [ANY, FORWARD_AUTH],
    [OTHER, OTHER],
];

/// Every route.
pub const ROUTES: &[&str] = &[
    "/api/tokens",
    "/docs",
    "/docs/",
    "/docs/{name}",
    "/oauth/introspect",
    "/oauth/revoke",
    "/openapi.json",
    "/settings/api-tokens",
    "/settings/api-tokens/{id}",
    "/v1/accounts",
    "/v1/accounts/{id}",
    "/v1/accounts/{id}/quotas",
    "/v1/accounts/{id}/quotas/{name}/refill",
    "/v1/accounts/{id}/resume",
    "/v1/accounts/{id}/suspend",
    "/v1/audit",
    "/v1/dead-letters",
    "/v1/dead-letters/replay",
    "/v1/dead-letters/{id}",
    "/v1/events",
    "/v1/leaks",
    "/v1/nodes",
    "/v1/nodes/balances",
    "/v1/nodes/events",
    "/v1/nodes/ledger",
    "/v1/nodes/lookup",
    "/v1/nodes/{id}",
    "/v1/nodes/{id}/usage",
    "/v1/tokens",
    "/v1/tokens/bulk-revoke",
    "/v1/tokens/bulk-revoke/{id}",
    "/v1/tokens/import",
    "/v1/tokens/{id}",
    "/v1/tokens/{id}/diff",
    "/v1/tokens/{id}/dry-run",
    "/v1/tokens/{id}/events",
    "/v1/tokens/{id}/exposure",
    "/v1/tokens/{id}/quotas",
    "/v1/tokens/{id}/quotas/{name}/refill",
    "/v1/tokens/{id}/resume",
    "/v1/tokens/{id}/rotate",
    "/v1/tokens/{id}/suspend",
    "/v1/tokens/{id}/usage",
    "/v1/tokens/{id}/usage/requests",
    "/v1/usage",
    "/v1/usage/completeness",
    "/v1/usage/tokens",
    "/v1/verify",
    "/v1/verify/batch",
    "/v1/webhooks",
    "/v1/webhooks/{id}",
    "/v1/webhooks/{id}/deliveries",
    "/v1/webhooks/{id}/replay",
    "/v1/webhooks/{id}/rotate-secret",
    "/v1/whoami",
    CONSOLE,
    FORWARD_AUTH,
    OTHER,
];

/// Requests by what was asked for and how it was answered.
pub const REQUESTS: Counter = Counter {
    name: "tollkeeper_http_requests_total",
    unit: Unit::Count,
    description: "Requests that the public listener has answered; HEAD counts as GET",
    labels: &[
        Label::Pair {
            names: ["method", "route"],
            values: OPERATIONS,
        },
        Label::one("status", &STATUSES),
    ],
};

/// How long answers took.
pub const REQUEST_SECONDS: DurationHistogram = DurationHistogram {
    name: "tollkeeper_http_request_seconds",
    description: "Time from a request's headers to its answer's",
    labels: &[Label::one("route", ROUTES)],
    buckets: &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0],
};

/// Open connections.
pub const CONNECTIONS: Gauge = Gauge {
    name: "tollkeeper_http_connections",
    unit: Unit::Count,
    description: "Open connections of the public listener",
    labels: &[],
};

/// The most open connections.
pub const MOST_CONNECTIONS: Gauge = Gauge {
    name: "tollkeeper_http_connections_max",
    unit: Unit::Count,
    description: "Connections that the public listener may have open",
    labels: &[],
};

/// Until when the public listener's certificate is good.
pub const CERTIFICATE_EXPIRY: Gauge = Gauge {
    name: "tollkeeper_tls_certificate_expiry_timestamp_seconds",
    unit: Unit::Seconds,
    description: "When the certificate of the public listener expires, in seconds since the Unix \
                  epoch; 0 if it has none",
    labels: &[],
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn routes_are_those_of_the_operations() {
        let of_operations: BTreeSet<_> = OPERATIONS.iter().map(|[_, route]| *route).collect();
        let routes: BTreeSet<_> = ROUTES.iter().copied().collect();
        assert_eq!(of_operations, routes);
        assert_eq!(routes.len(), ROUTES.len(), "a route is listed twice");
    }
}
