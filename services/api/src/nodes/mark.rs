//! `PUT /v1/nodes/{id}/usage`

use std::collections::HashSet;

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use tollkeeper_authn::wire::{MOST_OWN_SOURCES, UsageMark};
use tollkeeper_usage::reporter::Mark;
use tollkeeper_usage::{MarkError, MarkKeeper, PostgresMarks, Reporter};

use super::remote::Remote;
use super::report::check_name;
use crate::app::App;
use crate::caller::{Allowed, Verify};
use crate::http::body::Body;
use crate::http::path::Id;
use crate::http::problem::{FieldErrors, Problem};
use crate::openapi::errors::{NotFound, WithBody};

/// How far a node's clock may be ahead, as that of a request.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// Notes how far a node's usage has got: 204, 403 for those who do not act across accounts, and where the
/// node, or one of the sources, is not one that the caller has reported; 404 for an id that is none.
#[utoipa::path(
    put,
    path = "/v1/nodes/{id}/usage",
    tag = "Nodes",
    operation_id = "markUsageOfNode",
    summary = "Tell how far a node's usage has got",
    description = "For nodes without a database, once a second and a last time when they end. \
        `GET /v1/usage/completeness` sets it beside what has been counted.",
    params(("id" = Uuid, Path, description = "The node, as it reports itself")),
    request_body = UsageMark,
    responses(
        (status = 204, description = "It is noted"),
        WithBody<Verify>,
        NotFound,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<Verify>,
    Id(id): Id,
    Body(told): Body<UsageMark>,
) -> Result<StatusCode, Problem> {
    let registrar = Remote::of(&allowed)?;
    check(&told, app.now())?;
    let reporter = Reporter {
        id,
        name: told.name,
        started_at: told.started_at,
    };
    let mark = Mark {
        at: told.at,
        given: told.given.iter().map(|it| (it.source, it.last)).collect(),
        is_last: told.ended,
    };
    let marks = PostgresMarks::of_nodes(app.node_pool.clone(), registrar.0);
    match marks.keep(&reporter, &mark).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(MarkError::NotOurs) => {
            let detail = "you have not reported this node, or others report its sources";
            Err(Problem::forbidden("BEYOND_AUTHORITY", detail))
        }
        Err(error @ MarkError::Failed(_)) => Err(Problem::unavailable(error)),
    }
}

fn check(told: &UsageMark, now: DateTime<Utc>) -> Result<(), Problem> {
    let mut errors = FieldErrors::default();
    check_name(&mut errors, &told.name);
    if told.at > now + AHEAD {
        errors.add("/at", "more than 5 minutes ahead of the clock here");
    }
    if told.started_at > told.at {
        errors.add("/started_at", "later than `at`");
    }
    if told.given.len() > MOST_OWN_SOURCES {
        errors.add("/given", format!("at most {MOST_OWN_SOURCES}"));
        return errors.check();
    }
    let mut seen = HashSet::new();
    for (index, given) in told.given.iter().enumerate() {
        if i64::try_from(given.last).is_err() {
            errors.add(format!("/given/{index}/last"), "the number is too large");
        }
        if !seen.insert(given.source) {
            errors.add(format!("/given/{index}/source"), "it is named twice");
        }
    }
    errors.check()
}
