//! `GET /console/tokens/{id}/history`

use askama::Template;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::event::{Entry, Event, entries};
use super::token::{self, Seen};
use crate::console::Console;
use crate::console::api::Api;
use crate::console::frame::{Frame, Place};
use crate::console::session::SignedIn;
use crate::console::stop::{Shown, Stop, page};
use crate::http::path::Id;
use crate::http::query::Parameters;

/// How many entries a page shows.
const PER_PAGE: u64 = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Query {
    /// Only what made earlier versions than this.
    before: Option<u64>,
}

/// A part of a history.
#[derive(Debug)]
pub(super) struct Part {
    /// From the newest to the oldest.
    pub(super) entries: Vec<Entry>,
    /// The version that older entries come before; none at the beginning of the history.
    pub(super) older: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    items: Vec<Event>,
}

#[derive(Debug, Serialize)]
struct Asked {
    cursor: u64,
    limit: u64,
}

/// The `limit` newest entries that made versions before `end`. Histories are read from a version on, and
/// each entry makes the next one.
pub(super) async fn read(
    api: &Api,
    id: Uuid,
    (end, limit): (u64, u64),
    now: DateTime<Utc>,
) -> Result<Part, Stop> {
    let cursor = end.saturating_sub(1).saturating_sub(limit);
    let limit = end.saturating_sub(1).min(limit).max(1);
    let events = events(api, id, cursor, limit).await?;
    let mut entries = entries(&events, now);
    entries.reverse();
    Ok(Part {
        entries,
        older: (cursor > 0).then_some(cursor + 1),
    })
}

/// The events that follow on a version.
pub(super) async fn events(
    api: &Api,
    id: Uuid,
    version: u64,
    limit: u64,
) -> Result<Vec<Event>, Stop> {
    let asked = Asked {
        cursor: version,
        limit,
    };
    let path = format!("{}/events", token::path(id));
    let answer: Answer = api.get(&path, &asked).await?;
    Ok(answer.items)
}

#[derive(Template)]
#[template(path = "console/tokens/history.html")]
struct Page {
    frame: Frame,
    seen: Seen,
    part: Part,
    is_newest: bool,
}

/// What happened to a token, the newest first.
pub(super) async fn show(
    State(console): State<Console>,
    signed_in: SignedIn,
    Id(id): Id,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let now = console.app.now();
    let token = token::read(&signed_in.api, id).await?;
    let newest = token.version + 1;
    let end = query.before.unwrap_or(newest).clamp(2, newest.max(2));
    let part = read(&signed_in.api, id, (end, PER_PAGE), now).await?;
    page(&Page {
        frame: Frame::new(&signed_in, Place::Tokens, token.title("History")),
        seen: Seen { token, now },
        part,
        is_newest: end == newest,
    })
}
