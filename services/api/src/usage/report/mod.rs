//! `POST /v1/usage`: calls that happened elsewhere.
//!
//! What is answered as accepted is durable and will be counted once, whatever is killed: the ids and the
//! calls are one statement here, and taking the calls out and counting them is one transaction in the
//! ingestor. Nothing here writes to the tables of usage.

mod event;
mod outcome;

use std::collections::{HashMap, HashSet};

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_read_model::usage::reports::{Report, Reportable, reportable, take_in};
use tollkeeper_telemetry::usage::REPORTED_EVENTS;
use utoipa::ToSchema;

use self::event::{Call, Checked, read};
use self::outcome::{Outcome, Rejection};
use crate::app::App;
use crate::caller::{Allowed, UsageWrite};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::openapi::errors::WithBody;

/// The largest body, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The most calls in one report.
const MOST_CALLS: usize = 1000;

/// Calls that happened elsewhere.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReportUsage, example = json!({ "events": [{
    "id": "gateway-7:48211",
    "token_id": "019aa5d0-5a3c-7bc2-8d1e-0f4b5a6c7d8e",
    "endpoint": "/orders/7",
    "method": "GET",
    "status": 200,
    "timestamp": "2026-11-21T10:20:30.004512Z",
    "response_time_us": 812,
    "ip": "192.0.2.7",
    "user_agent": "curl/8.5.0",
}] }))]
pub(crate) struct ReportUsage {
    #[schema(value_type = Vec<Call>, min_items = 1, max_items = 1000)]
    events: Vec<Value>,
}

/// What became of the calls.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageReported, example = json!({
    "accepted": 1,
    "duplicates": 1,
    "rejected": 1,
    "results": [
        { "outcome": "accepted" },
        { "outcome": "duplicate" },
        {
            "outcome": "rejected",
            "code": "NOT_FOUND",
            "errors": [{ "pointer": "/events/2/token_id", "detail": "there is no such token" }],
        },
    ],
}))]
pub(crate) struct Reported {
    /// How many are stored, and will be counted once.
    #[schema(minimum = 0)]
    accepted: usize,
    /// How many were accepted before.
    #[schema(minimum = 0)]
    duplicates: usize,
    /// How many will not be counted as they are.
    #[schema(minimum = 0)]
    rejected: usize,
    /// What became of each call, in their order.
    results: Vec<Outcome>,
}

/// Takes in calls that happened elsewhere: 200 with what became of each, 413, 422.
#[utoipa::path(
    post,
    path = "/v1/usage",
    tag = "Usage",
    operation_id = "reportUsage",
    summary = "Report calls that happened elsewhere",
    description = "For gateways and services that judge tokens in their own way. Each call is taken by \
        itself: it is accepted, known by its id from before, or rejected, also where it is out of form. \
        What is accepted is stored when this is answered, is counted once, and shows in the usage after \
        about a second. After a 503, or no answer at all, report the same calls again. At most 1,000 \
        calls in at most 1 MiB.",
    request_body = ReportUsage,
    responses(
        (status = 200, description = "What became of each call", body = Reported),
        WithBody<UsageWrite>,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<UsageWrite>,
    Body(body): Body<ReportUsage>,
) -> Result<impl IntoResponse, Problem> {
    if !(1..=MOST_CALLS).contains(&body.events.len()) {
        let detail = format!("a report has 1 to {MOST_CALLS} calls");
        return Err(Problem::bad_field("/events", detail));
    }
    let now = app.now();
    let calls: Vec<Result<Checked, Rejection<'_>>> = body
        .events
        .into_iter()
        .enumerate()
        .map(|(place, value)| read(value, place, &app.policy, now))
        .collect();
    let known = tokens(&app, &allowed, &calls).await?;
    let (mut results, places, reports) = sort(&app, calls, &known);
    let taken: HashSet<(AccountId, String)> = if reports.is_empty() {
        HashSet::new()
    } else {
        let taken = take_in(&app.report_pool, &reports, now).await?;
        taken.into_iter().collect()
    };
    for (place, report) in places.into_iter().zip(reports) {
        if taken.contains(&(report.account_id, report.client_id)) {
            results[place] = Outcome::Accepted;
        }
    }
    Ok(Json(summary(results)))
}

/// The tokens of the calls, as far as they are within reach.
async fn tokens(
    app: &App,
    allowed: &Allowed<UsageWrite>,
    calls: &[Result<Checked, Rejection<'_>>],
) -> Result<HashMap<TokenId, Reportable>, Problem> {
    let tokens: HashSet<TokenId> = calls.iter().flatten().map(Checked::token).collect();
    if tokens.is_empty() {
        return Ok(HashMap::new());
    }
    let tokens: Vec<TokenId> = tokens.into_iter().collect();
    let found = reportable(&app.report_pool, allowed.reach, &tokens).await?;
    let found = found.into_iter();
    Ok(found.map(|token| (token.token_id, token)).collect())
}

/// What became of all calls but those that are to be taken in, which are duplicates so far; and these with
/// their places. Of calls with one id in the report, the first is the one.
fn sort(
    app: &App,
    calls: Vec<Result<Checked, Rejection<'_>>>,
    known: &HashMap<TokenId, Reportable>,
) -> (Vec<Outcome>, Vec<usize>, Vec<Report>) {
    let mut seen: HashSet<(AccountId, String)> = HashSet::new();
    let (mut places, mut reports) = (Vec::new(), Vec::new());
    let mut result = |place, call: Result<Checked, Rejection<'_>>| {
        let call = match call {
            Ok(call) => call,
            Err(rejection) => return rejection.into(),
        };
        let Some(token) = known.get(&call.token()) else {
            return Rejection::no_token(place, &app.policy.scrubber).into();
        };
        let report = call.report(token, &app.policy);
        if seen.insert((report.account_id, report.client_id.clone())) {
            places.push(place);
            reports.push(report);
        }
        Outcome::Duplicate
    };
    let calls = calls.into_iter().enumerate();
    let results = calls.map(|(place, call)| result(place, call)).collect();
    (results, places, reports)
}

/// Counts what became of the calls, also for the metrics.
fn summary(results: Vec<Outcome>) -> Reported {
    let mut reported = Reported {
        accepted: 0,
        duplicates: 0,
        rejected: 0,
        results,
    };
    for result in &reported.results {
        match result {
            Outcome::Accepted => reported.accepted += 1,
            Outcome::Duplicate => reported.duplicates += 1,
            Outcome::Rejected(_) => reported.rejected += 1,
        }
    }
    for (outcome, calls) in [
        ("accepted", reported.accepted),
        ("duplicate", reported.duplicates),
        ("rejected", reported.rejected),
    ] {
        REPORTED_EVENTS.with(outcome).increment(calls as u64);
    }
    reported
}
