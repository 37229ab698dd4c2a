//! `GET /console/operation`

use askama::Template;
use axum::extract::State;
use serde::Deserialize;
use tollkeeper_event_store::{checkpoint, head};
use tollkeeper_telemetry::process::VERSION;

use super::completeness::{self, Completeness};
use super::letters;
use super::nodes::{self, Nodes};
use crate::commands::CommandError;
use crate::console::Console;
use crate::console::frame::{Frame, Place};
use crate::console::session::OperatorIn;
use crate::console::stop::{Shown, page};
use crate::console::words;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::relay;

/// How many sources of usage the page shows.
const SOURCES: u32 = 50;

/// The part of the URL that says what is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Query {
    /// `all` for the sources that are complete, too.
    sources: Option<String>,
    /// Where the sources go on.
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "console/operation/overview.html")]
struct Page {
    frame: Frame,
    nodes: Vec<nodes::Row>,
    answering: usize,
    position: String,
    hash: String,
    /// How many events other programs were not told of yet.
    unrelayed: i64,
    usage: completeness::View,
    all_sources: bool,
    dead_letters: String,
    version: &'static str,
}

/// How the installation does.
pub(super) async fn show(
    State(console): State<Console>,
    OperatorIn(signed_in): OperatorIn,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let api = &signed_in.api;
    let nodes: Nodes = api.get("/v1/nodes", &()).await?;
    let all_sources = query.sources.as_deref() == Some("all");
    let asked = completeness::Query {
        incomplete: !all_sources,
        cursor: query.cursor,
        limit: SOURCES,
    };
    let usage: Completeness = api.get("/v1/usage/completeness", &asked).await?;
    let dead_letters = letters::number(api).await?;
    let head = head(&console.app.pool).await;
    let head = head.map_err(|error| Problem::from(CommandError::from(error)))?;
    let relayed = checkpoint(&console.app.pool, relay::NAME).await?;
    let (rows, answering) = nodes.rows(console.app.now());
    page(&Page {
        frame: Frame::new(&signed_in, Place::Operation, "Operation"),
        nodes: rows,
        answering,
        position: words::count(head.position),
        hash: head.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        unrelayed: (head.position - relayed.unwrap_or(0)).max(0),
        usage: usage.view(),
        all_sources,
        dead_letters,
        version: VERSION,
    })
}
