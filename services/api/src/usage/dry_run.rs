//! `POST /v1/tokens/{id}/dry-run`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::network::{Network, NetworkSet};
use tollkeeper_domain::rate_limit::{NewRateLimit, RateLimit, RateLimits};
use tollkeeper_domain::token::Validity;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_read_model::usage::{PassedRequest, passed, passed_cut};
use tollkeeper_read_model::{Reach, tokens};
use utoipa::ToSchema;

use super::proposal::{Proposal, Trial};
use super::reading::{self, Reading};
use crate::app::App;
use crate::caller::{Allowed, UsageRead};
use crate::http::body::{Body, nullable};
use crate::http::path::Id;
use crate::http::problem::{FieldErrors, Problem};
use crate::openapi::errors::{NotFound, TooMuchToJudge, WithBody};
use crate::rate_limits;
use crate::tokens::networks;

/// How many days are looked at, if nobody says, and at most.
const DAYS: i64 = 7;
const MOST_DAYS: i64 = 30;

/// The most requests that are judged again.
const MOST_REQUESTS: i64 = 100_000;

/// A change of a token that is thought of. At least one is named; what is not named refuses nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "days": 7, "allowed_cidrs": ["192.0.2.0/24"] }))]
pub(crate) struct DryRun {
    /// How many days back requests are judged again.
    #[schema(minimum = 1, maximum = 30, default = 7)]
    days: Option<i64>,
    /// As if it could have been used from these networks alone: at most 64. `[]` is from anywhere.
    #[schema(value_type = Option<Vec<Network>>, max_items = 64)]
    allowed_cidrs: Option<Vec<String>>,
    /// As if these had been its rate limits, of which nothing was taken before: at most 8, each with a
    /// name of its own. `[]` is as much as it will.
    #[schema(value_type = Option<Vec<NewRateLimit>>, max_items = 8)]
    rate_limits: Option<Vec<RateLimit>>,
    /// As if it had begun then, or null for no beginning.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    not_before: Option<Option<DateTime<Utc>>>,
    /// As if it had ended then, or null for no end.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    expires_at: Option<Option<DateTime<Utc>>>,
    /// Not to be judged: usage does not hold what a request needed.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(ignore)]
    scopes: Option<Option<IgnoredAny>>,
}

/// Which requests that passed would have been refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DryRunReport, example = json!({
    "since": "2026-02-22T12:34:56.789012Z",
    "as_of": "2026-03-01T12:34:56.789012Z",
    "judged": 120,
    "cut": false,
    "without_address": 0,
    "refused": 1,
    "verdicts": [{
        "verdict": "IP_NOT_ALLOWED",
        "requests": 1,
        "examples": [{
            "timestamp": "2026-03-01T10:00:00.123456Z",
            "method": "GET",
            "endpoint": "/orders/7",
            "status": 200,
            "ip": "198.51.100.9",
            "user_agent": "curl/8.5.0",
        }],
    }],
}))]
pub(crate) struct Report {
    /// From when on requests were judged again.
    since: DateTime<Utc>,
    as_of: DateTime<Utc>,
    /// How many requests that passed were judged again.
    #[schema(minimum = 0)]
    judged: u64,
    /// Whether there were more of them than are judged again: these are then the newest.
    cut: bool,
    /// How many of them have no address on record. No network refuses these.
    #[schema(minimum = 0)]
    without_address: u64,
    /// How many of them would have been refused.
    #[schema(minimum = 0)]
    refused: u64,
    /// Told apart by the first check that would have refused them.
    verdicts: Vec<RefusedView>,
}

/// What one check would have refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DryRunVerdict)]
struct RefusedView {
    #[schema(value_type = Verdict)]
    verdict: &'static str,
    #[schema(minimum = 1)]
    requests: u64,
    /// The newest of them, 20 at most, from the newest to the oldest.
    examples: Vec<Example>,
}

/// A request that passed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DryRunExample)]
struct Example {
    timestamp: DateTime<Utc>,
    method: String,
    /// The path, without its query.
    endpoint: String,
    status: i16,
    /// As much of the address as is kept; null for nothing of it.
    #[schema(required)]
    ip: Option<String>,
    user_agent: String,
}

impl From<PassedRequest> for Example {
    fn from(request: PassedRequest) -> Self {
        Self {
            timestamp: request.timestamp,
            method: request.method,
            endpoint: request.endpoint,
            status: request.status,
            ip: request.ip.map(|it| it.to_string()),
            user_agent: request.user_agent,
        }
    }
}

/// Tells what a change would have refused: 200, 400 for what is too much, 404, 422.
#[utoipa::path(
    post,
    path = "/v1/tokens/{id}/dry-run",
    tag = "Usage",
    operation_id = "dryRunChangeOfToken",
    summary = "Try a change of a token on its past requests",
    description = "Judges the requests of the last days that passed once more, as if the change had been \
        made before, and tells which of them it would have refused. Nothing is changed. Rate limits are \
        charged in the order of the requests, once for each, as one node would have done it. The newest \
        100,000 requests are judged at most; `cut` says that there were more. Scopes cannot be tried, as \
        usage does not hold what a request needed.",
    params(("id" = TokenId, Path, description = "The token")),
    request_body = DryRun,
    responses(
        (status = 200, description = "What it would have refused", body = Report),
        WithBody<UsageRead>,
        TooMuchToJudge,
        NotFound,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<UsageRead>,
    Id(id): Id,
    Body(body): Body<DryRun>,
) -> Result<impl IntoResponse, Problem> {
    let token = TokenId(id);
    let as_of = app.now();
    let (days, proposal) = read(body)?;
    let since = as_of - TimeDelta::days(days);
    let found = tokens::find(&app.pool, allowed.reach, token, as_of).await?;
    found.ok_or_else(|| Problem::not_found("token"))?;

    let (reach, proposal) = (allowed.reach, &proposal);
    let asking =
        |mut db: Reading| async move { try_on(&mut db, reach, token, since, proposal).await };
    let (cut, trial) = reading::ask(&app, "ask for fewer `days`", asking).await?;
    Ok(Json(report(since, as_of, cut, trial)))
}

/// Puts the token's requests through the change. Whether there were more than are judged.
async fn try_on<'a>(
    db: &mut PgConnection,
    reach: Reach,
    token: TokenId,
    since: DateTime<Utc>,
    proposal: &'a Proposal,
) -> Result<(bool, Trial<'a>), sqlx::Error> {
    let cut = passed_cut(db, reach, token, since, MOST_REQUESTS).await?;
    let mut trial = Trial::of(proposal);
    passed(db, reach, token, since, cut, |request| trial.judge(request)).await?;
    Ok((cut.is_some(), trial))
}

/// What is asked for, or what is wrong with it.
fn read(body: DryRun) -> Result<(i64, Proposal), Problem> {
    let mut errors = FieldErrors::default();
    let days = body.days.unwrap_or(DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        errors.add("/days", format!("this is 1 to {MOST_DAYS}"));
    }
    if body.scopes.is_some() {
        errors.add(
            "/scopes",
            "scopes cannot be tried: usage does not hold what a request needed",
        );
    }
    let names_nothing = body.allowed_cidrs.is_none()
        && body.rate_limits.is_none()
        && body.not_before.is_none()
        && body.expires_at.is_none()
        && body.scopes.is_none();
    if names_nothing {
        let changes = "`allowed_cidrs`, `rate_limits`, `not_before` or `expires_at`";
        errors.add("", format!("name at least one change: {changes}"));
    }
    let validity = Validity {
        not_before: body.not_before.flatten(),
        expires_at: body.expires_at.flatten(),
    };
    check(validity, &mut errors);
    let networks = match body.allowed_cidrs {
        Some(texts) => networks(&texts, &mut errors),
        None => Some(NetworkSet::default()),
    };
    let limits = match body.rate_limits {
        Some(asked) => rate_limits::check(asked, &mut errors),
        None => Some(RateLimits::default()),
    };
    errors.check()?;
    let (Some(networks), Some(limits)) = (networks, limits) else {
        return Err(Problem::internal(
            "a field without a value passed its check",
        ));
    };
    let proposal = Proposal {
        validity,
        networks,
        limits,
    };
    Ok((days, proposal))
}

/// Unlike for a change, the past is what is asked about.
fn check(validity: Validity, errors: &mut FieldErrors) {
    let Validity {
        not_before,
        expires_at,
    } = validity;
    for (pointer, time) in [("/not_before", not_before), ("/expires_at", expires_at)] {
        if time.is_some_and(|time| !(1970..=9999).contains(&time.year())) {
            errors.add(pointer, "this is a time of the years 1970 to 9999");
        }
    }
    let both = not_before.zip(expires_at);
    if both.is_some_and(|(start, end)| start >= end) {
        errors.add("/not_before", "`not_before` must lie before the expiry");
    }
}

fn report(since: DateTime<Utc>, as_of: DateTime<Utc>, cut: bool, trial: Trial<'_>) -> Report {
    let (judged, without_address) = (trial.judged, trial.without_address);
    let verdicts = trial.refused().map(|(verdict, refused)| RefusedView {
        verdict: verdict.code(),
        requests: refused.requests,
        examples: refused.examples.into_iter().rev().map(Into::into).collect(),
    });
    let verdicts: Vec<RefusedView> = verdicts.collect();
    Report {
        since,
        as_of,
        judged,
        cut,
        without_address,
        refused: verdicts.iter().map(|it| it.requests).sum(),
        verdicts,
    }
}
