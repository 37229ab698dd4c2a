//! A proxy's question about a request, over HTTP or gRPC: judged, and counted once.
//!
//! This is the hot path. On a hit nothing is awaited and nothing is looked up outside memory.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::HeaderMap;
use smallvec::SmallVec;
use tollkeeper_authn::{Identity, Miss, Requirement, Verification};
use tollkeeper_check::{Credential, Refusal, kept};
use tollkeeper_domain::scope::Scope;
use tollkeeper_domain::usage::UsageEvent;
use tollkeeper_domain::verdict::Verdict;

use super::options::Options;
use super::origin::Origin;
use crate::app::App;
use crate::http::problem::Problem;
use crate::http::trace::Trace;

/// The request that a proxy asks about, as it tells of it.
pub(crate) struct Original<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) path: &'a str,
    pub(crate) method: &'a str,
    /// Where it was sent from.
    pub(crate) peer: IpAddr,
    /// When the question came, by the time since boot.
    pub(crate) began: Duration,
    /// Its trace, if that is recorded.
    pub(crate) trace: Option<&'a Trace>,
}

/// Judges a request and counts it; `allowed` makes the answer if the token may pass.
///
/// # Errors
/// What the client is answered instead.
pub(crate) async fn judge<T>(
    app: &App,
    original: &Original<'_>,
    options: &Options,
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

/// As [`judge`], where memory alone says enough; else what [`judge_by_reading`] goes on with.
///
/// # Errors
/// What the client is answered instead.
pub(crate) fn judge_at_once<T>(
    app: &App,
    original: &Original<'_>,
    options: &Options,
    allowed: impl FnOnce(&Verification, Identity<'_>) -> T,
) -> Result<Result<T, Miss>, Problem> {
    let question = Question::of(app, original, options)?;
    let requirement = question.requirement();
    match app.engine.try_verify(question.token, &requirement) {
        Ok(verification) => question.settle(verification, allowed).map(Ok),
        Err(miss) => Ok(Err(miss)),
    }
}

/// Goes on with what memory did not say of the same request.
///
/// # Errors
/// What the client is answered instead.
pub(crate) async fn judge_by_reading<T>(
    app: &App,
    original: &Original<'_>,
    options: &Options,
    miss: Miss,
    allowed: impl FnOnce(&Verification, Identity<'_>) -> T,
) -> Result<T, Problem> {
    let question = Question::of(app, original, options)?;
    let verification = app.engine.resolve(miss, &question.requirement()).await;
    question.settle(verification, allowed)
}

/// A request with what is demanded of it.
struct Question<'a> {
    app: &'a App,
    options: &'a Options,
    began: Duration,
    token: &'a [u8],
    scopes: SmallVec<[&'a str; 4]>,
    origin: Origin<'a>,
    trace: Option<&'a Trace>,
}

impl<'a> Question<'a> {
    fn of(app: &'a App, original: &Original<'a>, options: &'a Options) -> Result<Self, Problem> {
        let own = (original.path, original.method);
        let trusted = &app.policy.trusted_proxies;
        let peer = original.peer;
        let (origin, credential) = Origin::of(original.headers, own, options.source, peer, trusted);
        let token = match credential {
            Some(Credential::Key(token) | Credential::Bearer(token)) => token,
            Some(Credential::Jwt(_)) => return Err(Refusal::jwt().into()),
            None => return Err(Problem::unauthenticated()),
        };
        Ok(Self {
            app,
            options,
            began: original.began,
            token,
            scopes: options.scopes.iter().map(Scope::as_str).collect(),
            origin,
            trace: original.trace,
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
        let took = app.clock.boot_time().saturating_sub(*began);
        if let Some(identity) = verification.identity() {
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
                request_id: origin.request_id,
                response_time_us: u32::try_from(took.as_micros()).unwrap_or(u32::MAX),
                at_micros: verification.at_micros,
                cost,
                charges,
            };
            let counted = app.spool.append_traced(&event).map_err(|_full| {
                app.engine.give_back(&verification);
                app.measures.verified(Verdict::Unavailable, took);
                Refusal::unavailable().told(Verdict::Unavailable)
            })?;
            if let (Some(trace), Some(place)) = (self.trace, counted) {
                trace.counted(app, place);
            }
            if verdict == Verdict::Valid {
                app.measures.verified(verdict, took);
                return Ok(allowed(&verification, identity));
            }
        }
        app.measures.verified(verdict, took);
        let refusal = Refusal::of(verdict, status, &self.scopes.join(" "));
        Err(refusal.by_limits(&verification).into())
    }
}
