//! The usage of a token that somebody asked about, as far as they say what it was used for.

use std::net::IpAddr;
use std::time::Duration;

use tollkeeper_authn::Verification;
use tollkeeper_check::kept;
use tollkeeper_domain::usage::UsageEvent;
use tollkeeper_domain::verdict::Verdict;

use crate::app::App;
use crate::http::problem::Problem;
use crate::http::trace::counted_now;

/// What the token was used for.
#[derive(Debug, Default)]
pub(crate) struct Asked<'a> {
    pub(crate) endpoint: Option<&'a str>,
    pub(crate) method: Option<&'a str>,
    pub(crate) ip: Option<IpAddr>,
    /// The id of the request that asks.
    pub(crate) request_id: &'a str,
}

/// Counts a request, begun that long after boot: its verdict, and as usage if the token is known.
///
/// # Errors
/// 503 if the spool is full and the deployment chose to refuse then.
pub(crate) fn count(
    app: &App,
    verification: &Verification,
    began: Duration,
    asked: &Asked<'_>,
) -> Result<(), Problem> {
    let took = app.clock.boot_time().saturating_sub(began);
    let counted = append(app, verification, took, asked);
    let verdict = match &counted {
        Ok(()) => verification.verdict,
        Err(_) => Verdict::Unavailable,
    };
    app.measures.verified(verdict, took);
    counted
}

/// Counts that whoever asked was told no more than `verdict`.
pub(crate) fn count_told(app: &App, verdict: Verdict, began: Duration) {
    let took = app.clock.boot_time().saturating_sub(began);
    app.measures.verified(verdict, took);
}

fn append(
    app: &App,
    verification: &Verification,
    took: Duration,
    asked: &Asked<'_>,
) -> Result<(), Problem> {
    let Some(identity) = verification.identity() else {
        return Ok(());
    };
    let (cost, charges) = verification.charges();
    let event = UsageEvent {
        token_id: identity.token_id(),
        account_id: identity.account_id(),
        token_version: identity.version(),
        endpoint: asked.endpoint.unwrap_or("/"),
        method: asked.method.unwrap_or_default(),
        status: verification.verdict.status(),
        verdict: verification.verdict,
        ip: asked.ip.and_then(|ip| kept(ip, app.policy.usage_ip)),
        user_agent: "",
        request_id: asked.request_id,
        response_time_us: u32::try_from(took.as_micros()).unwrap_or(u32::MAX),
        at_micros: verification.at_micros,
        cost,
        charges,
    };
    let counted = app.spool.append_traced(&event).map_err(|full| {
        app.engine.give_back(verification);
        Problem::unavailable(full)
    })?;
    counted_now(app, counted);
    Ok(())
}
