//! What is counted of each request: verdicts with how long they took, and answers of the public
//! listener. Counted in place, because most requests take no more than some microseconds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_runtime::metrics::Metrics;
use tollkeeper_telemetry::http::{
    ANY, CONSOLE, FORWARD_AUTH, OPERATIONS, OTHER, REQUEST_SECONDS, REQUESTS, ROUTES, STATUSES,
};
use tollkeeper_telemetry::verification::{VERIFICATION_SECONDS, VERIFICATIONS};
use tollkeeper_telemetry::{Counts, Durations, Service};

/// The measures of this process.
pub struct Measures {
    verdicts: Arc<Counts>,
    verification_seconds: Arc<Durations>,
    requests: Arc<Counts>,
    request_seconds: Arc<Durations>,
    operations: HashMap<[&'static str; 2], Operation>,
    console: Operation,
    forward_auth: Operation,
    other: Operation,
}

/// Where a method of a route is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// The first of its counts, of which there is one for each class of statuses.
    requests: usize,
    route: usize,
}

impl Default for Measures {
    fn default() -> Self {
        Self::new()
    }
}

impl Measures {
    /// Measures that nobody is shown until [`Measures::show`]. To be made after the recorder of metrics
    /// is installed.
    #[must_use]
    pub fn new() -> Self {
        let operations: HashMap<_, _> = OPERATIONS
            .iter()
            .enumerate()
            .map(|(index, operation)| (*operation, Operation::new(index, operation[1])))
            .collect();
        Self {
            verdicts: Arc::new(Counts::of(&VERIFICATIONS, Service::Api)),
            verification_seconds: Arc::new(Durations::of(&VERIFICATION_SECONDS, Service::Api)),
            requests: Arc::new(Counts::of(&REQUESTS, Service::Api)),
            request_seconds: Arc::new(Durations::of(&REQUEST_SECONDS, Service::Api)),
            console: operations[&[ANY, CONSOLE]],
            forward_auth: operations[&[ANY, FORWARD_AUTH]],
            other: operations[&[OTHER, OTHER]],
            operations,
        }
    }

    /// Has them shown among the metrics.
    pub fn show(&self, metrics: &Metrics) {
        metrics.add_counts(self.verdicts.clone());
        metrics.add_durations(self.verification_seconds.clone());
        metrics.add_counts(self.requests.clone());
        metrics.add_durations(self.request_seconds.clone());
    }

    /// A verdict was given.
    pub fn verified(&self, verdict: Verdict, took: Duration) {
        // The values of the label stand in the order of the verdicts.
        self.verdicts.count(verdict as usize);
        self.verification_seconds.record(0, took);
    }

    /// A request was answered.
    pub fn answered(&self, operation: Operation, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(2);
        let class = class.min(STATUSES.len() - 1);
        self.requests.count(operation.requests + class);
        self.request_seconds.record(operation.route, took);
    }

    /// A reverse proxy's question.
    #[must_use]
    pub fn forward_auth(&self) -> Operation {
        self.forward_auth
    }

    /// What was asked of a route of the router, if there is one.
    pub(crate) fn operation(&self, method: &Method, route: Option<&str>) -> Operation {
        let method = match method {
            &Method::HEAD => Method::GET.as_str(),
            method => method.as_str(),
        };
        if route.is_some_and(|route| route.starts_with(CONSOLE)) {
            return self.console;
        }
        let known = route.and_then(|route| self.operations.get(&[method, route]));
        known.copied().unwrap_or(self.other)
    }
}

impl Operation {
    fn new(index: usize, route: &str) -> Self {
        let place = ROUTES.iter().position(|known| *known == route);
        Self {
            requests: index * STATUSES.len(),
            // A test of the list sees to it that there is one.
            route: place.unwrap_or(ROUTES.len() - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use tollkeeper_telemetry::series;

    use super::*;

    #[test]
    fn codes_stand_in_the_order_of_the_verdicts() {
        let codes = series(VERIFICATIONS.labels, Service::Api);
        assert_eq!(codes.len(), Verdict::ALL.len());
        for verdict in Verdict::ALL {
            assert_eq!(codes[verdict as usize], [verdict.code()]);
        }
    }

    #[test]
    fn answers_are_counted_by_method_route_and_class() {
        let measures = Measures::new();
        let all = series(REQUESTS.labels, Service::Api);
        let routes = series(REQUEST_SECONDS.labels, Service::Api);
        let place = |method: Method, route, status: u16| {
            let operation = measures.operation(&method, route);
            let class = usize::from(status / 100) - 2;
            assert_eq!(routes[operation.route], all[operation.requests][1..2]);
            all[operation.requests + class].as_slice()
        };
        let tokens = Some("/v1/tokens");
        assert_eq!(
            place(Method::GET, tokens, 200),
            ["GET", "/v1/tokens", "2xx"]
        );
        assert_eq!(
            place(Method::HEAD, tokens, 304),
            ["GET", "/v1/tokens", "3xx"]
        );
        assert_eq!(
            place(Method::POST, tokens, 409),
            ["POST", "/v1/tokens", "4xx"]
        );
        assert_eq!(place(Method::PUT, tokens, 405), ["other", "other", "4xx"]);
        assert_eq!(place(Method::GET, None, 404), ["other", "other", "4xx"]);
        let page = Some("/console/tokens/{id}");
        assert_eq!(place(Method::POST, page, 303), ["any", "/console", "3xx"]);
        let made_up = Method::from_bytes(b"BREW").expect("a method");
        assert_eq!(
            place(made_up, Some("/v1/pots"), 503),
            ["other", "other", "5xx"]
        );
        let forward_auth = measures.forward_auth();
        assert_eq!(
            all[forward_auth.requests],
            ["any", "/v1/forward-auth", "2xx"]
        );
    }

    /// Only where this fails is there something to add to the list, or to take from it.
    #[test]
    fn every_operation_of_the_description_is_listed() {
        let document: serde_json::Value =
            serde_json::from_str(&crate::openapi::document()).expect("JSON");
        let paths = document["paths"].as_object().expect("paths");
        let mut described: Vec<[String; 2]> = paths
            .iter()
            .filter(|(path, _)| *path != FORWARD_AUTH)
            .flat_map(|(path, item)| {
                let operations = item.as_object().expect("operations");
                let methods = operations.keys().filter(|key| *key != "parameters");
                methods.map(|method| [method.to_uppercase(), path.clone()])
            })
            .collect();
        // The description does not describe itself.
        for path in ["/openapi.json", "/docs", "/docs/", "/docs/{name}"] {
            described.push(["GET".to_owned(), path.to_owned()]);
        }
        for special in [[ANY, CONSOLE], [ANY, FORWARD_AUTH], [OTHER, OTHER]] {
            described.push(special.map(str::to_owned));
        }
        described.sort();
        let mut listed: Vec<_> = OPERATIONS.iter().map(|it| it.map(str::to_owned)).collect();
        listed.sort();
        assert_eq!(listed, described);
    }
}
