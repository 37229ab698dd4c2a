//! `/v1/forward-auth`: answers a reverse proxy by status, and counts the request.

use std::any::Any;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request};
use axum::response::Response;
use futures::FutureExt;
use tollkeeper_authn::{Identity, Miss, Verification};
use tollkeeper_check::LimitHeaders;
use tollkeeper_domain::ids::AccountId;

use super::account::{self, Admitted};
use super::judge::{Original, judge_at_once, judge_by_reading};
use super::options::{Appended, LastOptions, Options};
use crate::app::App;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
use crate::http::trace::Trace;
use crate::openapi::errors::{
    BadRequest, CheckForbidden, CheckLimited, CheckRefused, Internal, Unavailable,
};

/// Where the paths of this operation begin.
pub(crate) const PREFIX: &str = "/v1/forward-auth";

/// The headers that tell whose token it is: id, account and scopes. All three are always set, so that
/// none of them can be the client's.
pub(crate) const IDENTITY: [&str; 3] = [
    "x-tollkeeper-token-id",
    "x-tollkeeper-account-id",
    "x-tollkeeper-scopes",
];

const TOKEN_ID: HeaderName = HeaderName::from_static(IDENTITY[0]);
const ACCOUNT_ID: HeaderName = HeaderName::from_static(IDENTITY[1]);
const SCOPES: HeaderName = HeaderName::from_static(IDENTITY[2]);

/// How a question came.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    /// The other end of the connection.
    pub(crate) peer: SocketAddr,
    /// When, by the time since boot.
    pub(crate) began: Duration,
    /// Its trace, if that is recorded.
    pub(crate) trace: Option<&'a Trace>,
    /// What was asked for before on the same connection.
    pub(crate) options: &'a LastOptions,
}

/// Why an answer takes more than memory.
pub(crate) enum Later {
    /// A token has to be read.
    Token(Miss),
    /// It is about the holder of an account.
    Account,
}

/// Whether a request for `path` is one for this operation.
pub(crate) fn is_for(path: &str) -> bool {
    let rest = path.strip_prefix(PREFIX);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// 200 with the identity in headers, or 401, 403, 429 or 503 by the verdict. A refusal carries the
/// request's id.
#[utoipa::path(
    get,
    path = "/v1/forward-auth",
    tag = "Verification",
    operation_id = "forwardAuth",
    summary = "Answer a reverse proxy by status",
    description = "For nginx `auth_request`, Caddy, Traefik and Envoy. Any method and any path \
        below `/v1/forward-auth/` is answered in the same way, and the request is counted as one \
        of the token. The credential is an API token or, with `jwt=allow`, a JWT, which is not \
        counted; `X-API-Key` wins over `Authorization`.",
    params(Options, Appended<'_>),
    responses(
        (
            status = 200,
            description = "The token may pass. The headers say whose it is",
            headers(
                ("X-Tollkeeper-Token-Id" = String, description = "The token; empty for a JWT"),
                ("X-Tollkeeper-Account-Id" = AccountId, description = "Its owner"),
                ("X-Tollkeeper-Scopes" = String, description = "Its scopes, with spaces between"),
                ("RateLimit-Policy" = String, description = "Its rate limits and quotas, where it has some"),
                ("RateLimit" = String, description = "What is left of them"),
            ),
        ),
        BadRequest, CheckRefused, CheckForbidden, CheckLimited, Internal, Unavailable,
    ),
)]
pub(crate) async fn handle(
    app: &App,
    request: &Request<()>,
    arrival: &Arrival<'_>,
    later: Later,
) -> Response {
    // No layer catches a panic here, and a connection that ends without an answer tells nobody why.
    let checked = AssertUnwindSafe(async {
        let query = request.uri().query().unwrap_or_default();
        let (options, appended) = arrival.options.read(query)?;
        match later {
            Later::Token(miss) => {
                let original = original(request, appended, arrival);
                judge_by_reading(app, &original, &options, miss, allowed).await
            }
            Later::Account => {
                let jwt = account::jwt_of(request.headers(), &options);
                let jwt = jwt.ok_or_else(Problem::unauthenticated)?;
                let admitted = account::judge(app, jwt, &options, arrival.began).await?;
                Ok(allowed_account(&admitted))
            }
        }
    });
    let checked = checked.catch_unwind().await;
    answer(app, request, checked.unwrap_or_else(panicked))
}

/// The same answer, where memory alone gives it; else what [`handle`] goes on with.
pub(crate) fn at_once<B>(
    app: &App,
    request: &Request<B>,
    arrival: &Arrival<'_>,
) -> Result<Response, Later> {
    let checked = catch_unwind(AssertUnwindSafe(|| {
        let query = request.uri().query().unwrap_or_default();
        let (options, appended) = arrival.options.read(query)?;
        options.check_whose(request.uri().path(), appended)?;
        if account::jwt_of(request.headers(), &options).is_some() {
            return Ok(Err(Later::Account));
        }
        let original = original(request, appended, arrival);
        let judged = judge_at_once(app, &original, &options, allowed)?;
        Ok(judged.map_err(Later::Token))
    }));
    let checked = match checked.unwrap_or_else(panicked) {
        Ok(checked) => Ok(checked?),
        Err(problem) => Err(problem),
    };
    Ok(answer(app, request, checked))
}

fn panicked<T>(panic: Box<dyn Any + Send>) -> Result<T, Problem> {
    Err(Problem::panicked(panic))
}

fn answer<B>(app: &App, request: &Request<B>, checked: Result<Response, Problem>) -> Response {
    match checked {
        Ok(response) => response,
        Err(problem) => {
            let id = RequestId::of(request.headers(), app);
            let mut response = problem.answer(&id.0, &app.policy.scrubber);
            id.mark(&mut response);
            response
        }
    }
}

/// The request that the proxy asks about.
fn original<'a, B>(
    request: &'a Request<B>,
    appended: Appended<'a>,
    arrival: &Arrival<'a>,
) -> Original<'a> {
    let path = request.uri().path();
    let path = appended.uri.or_else(|| path.strip_prefix(PREFIX));
    Original {
        headers: request.headers(),
        path: path.filter(|path| !path.is_empty()).unwrap_or("/"),
        method: request.method().as_str(),
        peer: arrival.peer.ip(),
        began: arrival.began,
        trace: arrival.trace,
    }
}

fn allowed(verification: &Verification, identity: Identity<'_>) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.reserve(3);
    if let Some(limits) = LimitHeaders::of(verification) {
        limits.add_to(headers);
    }
    headers.insert(TOKEN_ID, id(identity.token_id().0));
    headers.insert(ACCOUNT_ID, id(identity.account_id().0));
    let scopes = HeaderValue::from_str(identity.facts().scopes.as_str());
    headers.insert(SCOPES, scopes.unwrap_or(HeaderValue::from_static("")));
    response
}

/// As for a token that is none.
fn allowed_account(admitted: &Admitted) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(TOKEN_ID, HeaderValue::from_static(""));
    headers.insert(ACCOUNT_ID, id(admitted.account_id.0));
    let scopes = HeaderValue::from_str(admitted.scopes.as_str());
    headers.insert(SCOPES, scopes.unwrap_or(HeaderValue::from_static("")));
    response
}

fn id(id: uuid::Uuid) -> HeaderValue {
    let mut text = uuid::Uuid::encode_buffer();
    let text = id.as_hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}
