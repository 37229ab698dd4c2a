//! Notices what is refused.

use std::net::IpAddr;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use tollkeeper_telemetry::http::OPERATIONS;
use uuid::Uuid;

use super::attempt::{Attempt, Kind, Who, network};
use super::holder::Holder;
use crate::app::App;
use crate::http::client;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;

/// What a path names by its id.
const ID: &str = "{id}";

/// To be within the layer that writes problems, and around the handlers.
pub(crate) async fn layer(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let asked = Asked::of(&request, &app);
    let holder = Holder::default();
    request.extensions_mut().insert(holder.clone());
    let response = next.run(request).await;
    if let Some(asked) = asked
        && let Some(problem) = response.extensions().get::<Problem>()
        && let Some(attempt) = asked.refused(&app, &holder, problem)
    {
        app.refusals.add(attempt);
    }
    response
}

/// What was asked, by whomever. Nothing is worked out of it before it is refused.
struct Asked {
    method: Method,
    route: MatchedPath,
    uri: Uri,
    request_id: RequestId,
    address: Option<IpAddr>,
}

impl Asked {
    /// None of what the router does not know.
    fn of(request: &Request, app: &App) -> Option<Self> {
        let extensions = request.extensions();
        Some(Self {
            method: request.method().clone(),
            route: extensions.get::<MatchedPath>()?.clone(),
            uri: request.uri().clone(),
            request_id: extensions.get::<RequestId>()?.clone(),
            address: client::address(request.headers(), extensions, app),
        })
    }

    fn refused(self, app: &App, holder: &Holder, problem: &Problem) -> Option<Attempt> {
        let route = self.route.as_str();
        let (status, code) = problem.outcome();
        let is_refused = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
                true
            }
            // It may be another account's: the answer does not tell, and neither does this.
            StatusCode::NOT_FOUND => holder.is_bound() && route.contains(ID),
            _ => false,
        };
        if !is_refused {
            return None;
        }
        let network = network(self.address, app.policy.usage_ip);
        let who = match holder.actor() {
            Some(actor) => Who::Known(actor),
            None => Who::Stranger(network.clone()),
        };
        Some(Attempt {
            at: app.now(),
            kind: Kind {
                who,
                operation: operation(&self.method, route)?,
                status,
                code,
            },
            account: holder.account(),
            network,
            subject: subject(route, self.uri.path()),
            // Clients choose it, and it may be a token.
            request_id: app.policy.scrubber.scrub(&self.request_id.0).into_owned(),
        })
    }
}

/// The operation as the list of all of them has it.
fn operation(method: &Method, route: &str) -> Option<[&'static str; 2]> {
    let method = match method {
        &Method::HEAD => Method::GET.as_str(),
        method => method.as_str(),
    };
    OPERATIONS
        .iter()
        .find(|it| **it == [method, route])
        .copied()
}

/// The id in the path, if it is one.
fn subject(route: &str, path: &str) -> Option<Uuid> {
    let mut both = route.split('/').zip(path.split('/'));
    let (_, id) = both.find(|(part, _)| *part == ID)?;
    id.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_subject_by_an_id_alone() {
        let id = "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f";
        let of = |route, path: &str| subject(route, path).map(|id| id.to_string());
        let path = format!("/v1/tokens/{id}/rotate");
        assert_eq!(of("/v1/tokens/{id}/rotate", &path).as_deref(), Some(id));
        // Somebody may put a secret where an id belongs.
        assert_eq!(of("/v1/tokens/{id}", "/v1/tokens/tk_live_x"), None);
        assert_eq!(of("/v1/tokens", "/v1/tokens"), None);
    }

    #[test]
    fn operations_are_those_of_the_list() {
        assert_eq!(
            operation(&Method::HEAD, "/v1/tokens"),
            Some(["GET", "/v1/tokens"])
        );
        assert_eq!(operation(&Method::PUT, "/v1/tokens"), None);
    }
}
