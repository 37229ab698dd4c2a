//! `GET /console/people`

use askama::Template;
use axum::extract::State;
use serde::Deserialize;
use tollkeeper_read_model::people::{self, PersonRow};
use uuid::Uuid;

use crate::console::Console;
use crate::console::frame::{Frame, Place, Tone};
use crate::console::query::{given, url};
use crate::console::session::OperatorIn;
use crate::console::stop::{Shown, page};
use crate::console::words::Moment;
use crate::http::query::Parameters;

/// How many are on a page.
const PAGE: usize = 100;

/// Somebody, as the page shows them.
struct Shape {
    row: PersonRow,
    is_you: bool,
    added: Moment,
    seen: Option<Moment>,
}

#[derive(Template)]
#[template(path = "console/people/list.html")]
struct Page {
    frame: Frame,
    people: Vec<Shape>,
    /// What was searched for.
    q: String,
    /// Where the next page begins.
    next: Option<String>,
    /// Where the first page is, from any other.
    first: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// A part of an address or of an account's name, or an account's id or external id.
    q: Option<String>,
    after: Option<String>,
    #[serde(default)]
    done: String,
}

/// Everybody, or those who were searched for, by their addresses.
pub(super) async fn show(
    State(console): State<Console>,
    OperatorIn(signed_in): OperatorIn,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let now = console.app.now();
    let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let (q, after) = (given(query.q.as_ref()), query.after.as_deref());
    let mut rows = people::list(&console.app.pool, q, after, limit).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let last = rows.last().filter(|_| more).map(|row| row.email.clone());
    let from = |after| url("/console/people", &[("q", q), ("after", after)]);
    let next = last.as_deref().map(|email| from(Some(email)));
    let first = after.map(|_| from(None));
    let own: Uuid = signed_in.person.id;
    let at = |at| Moment { at, now };
    let people = rows.into_iter().map(|row| Shape {
        is_you: row.id == own,
        added: at(row.created_at),
        seen: row.seen_at.map(at),
        row,
    });
    let mut frame = Frame::new(&signed_in, Place::People, "People");
    let done = match query.done.as_str() {
        "disabled" => Some("Disabled. Every session of theirs is signed out."),
        "enabled" => Some("Enabled. They can sign in again."),
        _ => None,
    };
    if let Some(done) = done {
        frame = frame.saying(Tone::Good, done);
    }
    page(&Page {
        frame,
        people: people.collect(),
        q: q.unwrap_or_default().to_owned(),
        next,
        first,
    })
}
