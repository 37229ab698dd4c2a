//! `PUT /v1/nodes/{id}`

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use tollkeeper_authn::postgres::{self, Node};
use tollkeeper_authn::wire::{Head, Report};
use tollkeeper_authn::{Attendance, LogHead};

use super::remote::{self, Remote};
use crate::app::App;
use crate::caller::{Allowed, Verify};
use crate::http::body::Body;
use crate::http::path::Id;
use crate::http::problem::{FieldErrors, Problem};
use crate::openapi::errors::{NodeConflict, NotFound, WithBody};

const LONGEST_NAME: usize = 100;
const LONGEST_VERSION: usize = 50;

/// The longest that a node may answer on its own and say so: a week. One that goes on for longer says
/// that it goes on for as long as it runs.
const LONGEST_VALIDITY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Notes that a node is there and gives the log's head as of then: 200, 403 for those who do not act
/// across accounts, and where somebody else has registered the node, 404 for an id that is none, 409 for one node too many.
#[utoipa::path(
    put,
    path = "/v1/nodes/{id}",
    tag = "Nodes",
    operation_id = "reportNode",
    summary = "Report a node and read the log's head",
    description = "For nodes without a database, which choose a new id (a UUID) at each start. The \
        primary is read after the request has arrived, by the statement that notes what the node \
        says. Whoever first reports a node is the only one who can go on with it, and has at most 1,000.",
    params(("id" = Uuid, Path, description = "The node")),
    request_body = Report,
    responses(
        (status = 200, description = "The log's head", body = Head),
        WithBody<Verify>,
        NotFound,
        NodeConflict,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<Verify>,
    Id(id): Id,
    Body(report): Body<Report>,
) -> Result<Json<Head>, Problem> {
    let registrar = Remote::of(&allowed)?;
    check(&report)?;
    let attendance = Attendance {
        applied: report.applied.map(LogHead::from),
        valid_for: report.valid_for_ms.map(Duration::from_millis),
    };
    let node = Node {
        id,
        name: report.name,
        version: report.version,
        registrar: Some(registrar.0),
    };
    let head = remote::ask(&app, move |connection| {
        Box::pin(async move { postgres::attend(connection, &node, attendance).await })
    });
    Ok(Json(head.await?.into()))
}

fn check(report: &Report) -> Result<(), Problem> {
    let mut errors = FieldErrors::default();
    check_name(&mut errors, &report.name);
    check_text(&mut errors, "/version", &report.version, LONGEST_VERSION);
    let whole = |number: u64| i64::try_from(number).is_ok();
    if let Some(applied) = &report.applied {
        for (pointer, number) in [
            ("/applied/position", applied.position),
            ("/applied/generation", applied.generation),
        ] {
            if !whole(number) {
                errors.add(pointer, "the number is too large");
            }
        }
    }
    let validity = report.valid_for_ms.map(Duration::from_millis);
    if validity.is_some_and(|validity| validity > LONGEST_VALIDITY) {
        errors.add("/valid_for_ms", "at most a week");
    }
    errors.check()
}

/// What people are to read as the name of a node.
pub(super) fn check_name(errors: &mut FieldErrors, name: &str) {
    check_text(errors, "/name", name, LONGEST_NAME);
}

fn check_text(errors: &mut FieldErrors, pointer: &'static str, text: &str, longest: usize) {
    let length = text.chars().count();
    if length == 0 || length > longest || text.chars().any(char::is_control) {
        errors.add(
            pointer,
            format!("1 to {longest} characters, none of them a control"),
        );
    }
}
