//! `/v1/forward-auth`: answers a reverse proxy by status, and counts the request.
//!
//! This is the hot path. On a hit nothing is awaited and nothing is looked up outside memory.

use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request};
use axum::response::Response;
use futures::FutureExt;
use smallvec::SmallVec;
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
pub(crate) async fn handle(app: &App, peer: SocketAddr, request: &Request<()>) -> Response {
    // No layer catches a panic here, and a connection that ends without an answer tells nobody why.
    let checked = AssertUnwindSafe(async {
        let options = Options::read(request.uri().query().unwrap_or_default())?;
        let original = Original::of(request, &options, peer);
        judge(app, &original, &options, allowed).await
    });
    let checked = checked.catch_unwind().await;
    answer(app, request, checked.unwrap_or_else(panicked))
}

/// The same answer, where memory alone gives it; else nothing was done.
pub(crate) fn at_once<B>(app: &App, peer: SocketAddr, request: &Request<B>) -> Option<Response> {
    let checked = catch_unwind(AssertUnwindSafe(|| {
        let options = Options::read(request.uri().query().unwrap_or_default())?;
        let original = Original::of(request, &options, peer);
        let question = Question::of(app, &original, &options)?;
        match app
            .engine
            .try_verify(question.token, &question.requirement())
        {
            Ok(verification) => question.settle(verification, allowed).map(Some),
            Err(_miss) => Ok(None),
        }
    }));
    let checked = checked.unwrap_or_else(panicked).transpose()?;
    Some(answer(app, request, checked))
}

fn panicked<T>(panic: Box<dyn std::any::Any + Send>) -> Result<T, Problem> {
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

/// The request that a proxy asks about, as it tells of it.
pub(crate) struct Original<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) path: &'a str,
    pub(crate) method: &'a str,
    /// Where it was sent from.
    pub(crate) peer: IpAddr,
}

impl<'a> Original<'a> {
    fn of<B>(request: &'a Request<B>, options: &Options<'a>, peer: SocketAddr) -> Self {
        let path = request.uri().path();
        let path = options.uri.or_else(|| path.strip_prefix(PREFIX));
        Self {
            headers: request.headers(),
            path: path.filter(|path| !path.is_empty()).unwrap_or("/"),
            method: request.method().as_str(),
            peer: peer.ip(),
        }
    }
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
    let question = Question::of(app, original, options)?;
    let requirement = question.requirement();
    let verification = match app.engine.try_verify(question.token, &requirement) {
        Ok(verification) => verification,
        Err(miss) => app.engine.resolve(miss, &requirement).await,
    };
    question.settle(verification, allowed)
}

/// A request with what is demanded of it.
struct Question<'a> {
    app: &'a App,
    options: &'a Options<'a>,
    began: Duration,
    token: &'a [u8],
    scopes: SmallVec<[&'a str; 4]>,
    origin: Origin<'a>,
}

impl<'a> Question<'a> {
    fn of(
        app: &'a App,
        original: &Original<'a>,
        options: &'a Options<'a>,
    ) -> Result<Self, Problem> {
        let began = app.clock.boot_time();
        let headers = original.headers;
        let token = match preferred(headers) {
            Some(Credential::Key(token) | Credential::Bearer(token)) => token,
            Some(Credential::Jwt(_)) => return Err(Refusal::jwt().into()),
            None => return Err(Problem::unauthenticated()),
        };
        let own = (original.path, original.method);
        let trusted = &app.policy.trusted_proxies;
        Ok(Self {
            app,
            options,
            began,
            token,
            scopes: options.scopes.iter().map(AsRef::as_ref).collect(),
            origin: Origin::of(headers, own, options.source, original.peer, trusted),
        })
    }

    fn requirement(&self) -> Requirement<'_> {
        Requirement {
            environment: self.options.environment,
            client: self.origin.way.client().into(),
            scopes: &self.scopes,
            cost: self.options.cost.unwrap_or(1),
            ..Requirement::default()
        }
    }

    /// Counts the request as it was judged; `allowed` makes the answer if the token may pass.
    fn settle<T>(
        &self,
        verification: Verification,
        allowed: impl FnOnce(&Verification, Identity<'_>) -> T,
    ) -> Result<T, Problem> {
        let Self {
            app,
            options,
            began,
            origin,
            ..
        } = self;
        let verdict = verification.verdict;
        let status = match verdict.status() {
            429 if options.limits_as_403 => 403,
            status => status,
        };
        if let Some(identity) = verification.identity() {
            let took = app.clock.boot_time().saturating_sub(*began).as_micros();
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
