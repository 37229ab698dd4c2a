//! `/v1/forward-auth`: answers a reverse proxy by status, and counts the request.
//!
//! This is the hot path. On a hit nothing is awaited and nothing is looked up outside memory.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use futures::FutureExt;
use tollkeeper_authn::{Identity, Requirement, Verification};
use tollkeeper_check::{Credential, LimitHeaders, Refusal, kept, preferred};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::usage::UsageEvent;
use tollkeeper_domain::verdict::Verdict;

use super::options::Options;
use super::origin::Origin;
use crate::app::App;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
use crate::openapi::errors::{
    BadRequest, CheckForbidden, CheckLimited, CheckRefused, Internal, Unavailable,
};

/// Where the paths of this operation begin.
const PREFIX: &str = "/v1/forward-auth";

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
        of the token. The credential is an API token; `X-API-Key` wins over `Authorization`.",
    params(Options<'_>),
    responses(
        (
            status = 200,
            description = "The token may pass. The headers say whose it is",
            headers(
                ("X-Tollkeeper-Token-Id" = TokenId, description = "The token"),
                ("X-Tollkeeper-Account-Id" = AccountId, description = "Its owner"),
                ("X-Tollkeeper-Scopes" = String, description = "Its scopes, with spaces between"),
                ("RateLimit-Policy" = String, description = "Its rate limits and quotas, where it has some"),
                ("RateLimit" = String, description = "What is left of them"),
            ),
        ),
        BadRequest, CheckRefused, CheckForbidden, CheckLimited, Internal, Unavailable,
    ),
)]
pub(crate) async fn handle(app: &App, peer: SocketAddr, request: Request) -> Response {
    let (request, _body) = request.into_parts();
    // No layer catches a panic here, and a connection that ends without an answer tells nobody why.
    let checked = AssertUnwindSafe(check(app, peer, &request))
        .catch_unwind()
        .await;
    let problem = match checked {
        Ok(Ok(response)) => return response,
        Ok(Err(problem)) => problem,
        Err(panic) => Problem::panicked(panic),
    };
    let id = RequestId::of(&request.headers, app);
    let mut response = problem.answer(&id.0, &app.policy.scrubber);
    id.mark(&mut response);
    response
}

async fn check(app: &App, peer: SocketAddr, request: &Parts) -> Result<Response, Problem> {
    let options = Options::read(request.uri.query().unwrap_or_default())?;
    let path = request.uri.path();
    let path = options.uri.or_else(|| path.strip_prefix(PREFIX));
    let original = Original {
        headers: &request.headers,
        path: path.filter(|path| !path.is_empty()).unwrap_or("/"),
        method: request.method.as_str(),
        peer: peer.ip(),
    };
    judge(app, &original, &options, allowed).await
}

/// The request that a proxy asks about, as it tells of it.
pub(crate) struct Original<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) path: &'a str,
    pub(crate) method: &'a str,
    /// Where it was sent from.
    pub(crate) peer: IpAddr,
}

/// Judges a request and counts it; `allowed` makes the answer if the token may pass.
///
/// # Errors
/// What the client is answered instead.
pub(crate) async fn judge<T>(
    app: &App,
    original: &Original<'_>,
    options: &Options<'_>,
    allowed: impl FnOnce(&Verification, Identity<'_>) -> T,
) -> Result<T, Problem> {
    let began = app.clock.boot_time();
    let headers = original.headers;
    let token = match preferred(headers) {
        Some(Credential::Key(token) | Credential::Bearer(token)) => token,
        Some(Credential::Jwt(_)) => return Err(Refusal::jwt().into()),
        None => return Err(Problem::unauthenticated()),
    };
    let scopes: Vec<&str> = options.scopes.iter().map(AsRef::as_ref).collect();
    let own = (original.path, original.method);
    let trusted = &app.policy.trusted_proxies;
    let origin = Origin::of(headers, own, options.source, original.peer, trusted);
    let requirement = Requirement {
        environment: options.environment,
        client: origin.way.client().into(),
        scopes: &scopes,
        cost: options.cost.unwrap_or(1),
        ..Requirement::default()
    };
    let verification = match app.engine.try_verify(token, &requirement) {
        Ok(verification) => verification,
        Err(miss) => app.engine.resolve(miss, &requirement).await,
    };
    let verdict = verification.verdict;
    let status = match verdict.status() {
        429 if options.limits_as_403 => 403,
        status => status,
    };
    if let Some(identity) = verification.identity() {
        let took = app.clock.boot_time().saturating_sub(began).as_micros();
        let (cost, charges) = verification.charges();
        let event = UsageEvent {
            token_id: identity.token_id(),
            account_id: identity.account_id(),
            token_version: identity.version(),
            endpoint: origin.endpoint,
            method: origin.method,
            status,
            verdict,
            ip: kept(origin.way.farthest, app.policy.usage_ip),
            user_agent: origin.user_agent,
            response_time_us: u32::try_from(took).unwrap_or(u32::MAX),
            at_micros: verification.at_micros,
            cost,
            charges,
        };
        app.spool.append(&event).map_err(|_full| {
            verification.give_back_quotas();
            Refusal::unavailable().told(Verdict::Unavailable)
        })?;
        if verdict == Verdict::Valid {
            return Ok(allowed(&verification, identity));
        }
    }
    let refusal = Refusal::of(verdict, status, &options.scopes.join(" "));
    Err(refusal.by_limits(&verification).into())
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
    let scopes = HeaderValue::try_from(scopes(identity));
    headers.insert(SCOPES, scopes.unwrap_or(HeaderValue::from_static("")));
    response
}

fn id(id: uuid::Uuid) -> HeaderValue {
    let mut text = uuid::Uuid::encode_buffer();
    let text = id.as_hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// The scopes with spaces between them, as OAuth writes them (RFC 6749, section 3.3).
pub(crate) fn scopes(identity: Identity<'_>) -> String {
    let mut text = String::new();
    for scope in identity.facts().scopes.iter() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(scope.as_str());
    }
    text
}
