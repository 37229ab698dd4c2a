//! `GET /console/operation/dead-letters`

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::console::Console;
use crate::console::api::Api;
use crate::console::frame::{Frame, Place, Tone};
use crate::console::id::Id;
use crate::console::query::{given, url};
use crate::console::session::OperatorIn;
use crate::console::stop::{Shown, Stop, page_with};
use crate::console::words::{self, Moment};
use crate::http::query::Parameters;

/// The reasons, and what they mean.
pub(super) const REASONS: [(&str, &str); 3] = [
    ("undecodable", "it cannot be read"),
    ("refused", "the database refused it"),
    ("overlap", "its numbers overlap with others"),
];

/// The most that is counted for a summary.
const MOST: usize = 200;

/// A dead letter, as the management API tells of it.
#[derive(Debug, Deserialize)]
pub(super) struct Letter {
    pub(super) id: i64,
    received_at: DateTime<Utc>,
    reason: String,
    detail: String,
    kind: String,
    source: Option<Uuid>,
    first: Option<i64>,
    last: Option<i64>,
    bytes: i64,
    replay_asked_at: Option<DateTime<Utc>>,
    replay_failure: Option<String>,
}

/// The same, as pages show it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) received: Moment,
    pub(super) reason: String,
    /// What the reason means.
    pub(super) meaning: &'static str,
    pub(super) detail: String,
    pub(super) kind: String,
    pub(super) source: Option<Id>,
    /// Which events of the source it stands for.
    pub(super) numbers: Option<String>,
    pub(super) bytes: String,
    pub(super) asked: Option<Moment>,
    pub(super) failure: Option<String>,
}

impl Letter {
    /// As pages show it.
    pub(super) fn row(self, now: DateTime<Utc>) -> Row {
        let meaning = REASONS.iter().find(|(name, _)| *name == self.reason);
        let numbers = self.first.zip(self.last).map(|(first, last)| {
            if first == last {
                words::count(first)
            } else {
                format!("{} to {}", words::count(first), words::count(last))
            }
        });
        Row {
            id: self.id,
            received: Moment {
                at: self.received_at,
                now,
            },
            meaning: meaning.map_or("", |(_, meaning)| meaning),
            reason: self.reason,
            detail: self.detail,
            kind: self.kind,
            source: self.source.map(Id::new),
            numbers,
            bytes: words::count(self.bytes),
            asked: self.replay_asked_at.map(|at| Moment { at, now }),
            failure: self.replay_failure,
        }
    }
}

/// What is asked of the management API.
#[derive(Debug, Default, Serialize)]
struct Asked<'a> {
    reason: Option<&'a str>,
    source: Option<&'a str>,
    cursor: Option<&'a str>,
    limit: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
struct Answer {
    items: Vec<Letter>,
    next_cursor: Option<String>,
}

/// How many letters there are, as a summary says it.
///
/// # Errors
/// What the API refuses.
pub(super) async fn number(api: &Api) -> Result<String, Stop> {
    let asked = Asked {
        limit: Some(MOST),
        ..Asked::default()
    };
    let answer: Answer = api.get("/v1/dead-letters", &asked).await?;
    let more = if answer.next_cursor.is_some() {
        "+"
    } else {
        ""
    };
    Ok(format!("{}{more}", answer.items.len()))
}

/// The part of the URL that says what is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Query {
    reason: Option<String>,
    source: Option<String>,
    cursor: Option<String>,
    /// How many were just asked to be tried again.
    asked: Option<u32>,
    /// Whether there were more than could be asked for at once.
    #[serde(default)]
    more: bool,
}

/// One of the reasons to choose from.
struct Choice {
    name: &'static str,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "console/operation/letters.html")]
struct Page {
    frame: Frame,
    letters: Vec<Row>,
    reasons: Vec<Choice>,
    reason: String,
    source: String,
    /// Whether the source is none that there can be.
    is_no_source: bool,
    /// The URL of what follows.
    next: Option<String>,
}

/// What could not be counted, the newest first.
pub(super) async fn show(
    State(console): State<Console>,
    OperatorIn(signed_in): OperatorIn,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let (reason, source) = (given(query.reason.as_ref()), given(query.source.as_ref()));
    let is_no_source = source.is_some_and(|text| Uuid::parse_str(text).is_err());
    let asked = Asked {
        reason,
        source,
        cursor: query.cursor.as_deref(),
        limit: None,
    };
    let answer: Answer = match is_no_source {
        true => Answer::default(),
        false => signed_in.api.get("/v1/dead-letters", &asked).await?,
    };
    let now = console.app.now();
    let mut frame = Frame::new(&signed_in, Place::Operation, "Dead letters");
    if let Some(asked) = query.asked {
        let mut text = match asked {
            1 => "1 letter is to be tried again; an ingestor does it soon.".to_owned(),
            _ => format!("{asked} letters are to be tried again; an ingestor does it soon."),
        };
        if query.more {
            text.push_str(" There are more: ask again once these are done.");
        }
        frame = frame.saying(Tone::Good, text);
    }
    let next = answer.next_cursor.map(|cursor| {
        let parts = [
            ("reason", reason),
            ("source", source),
            ("cursor", Some(cursor.as_str())),
        ];
        url("/console/operation/dead-letters", &parts)
    });
    let status = match is_no_source {
        true => StatusCode::BAD_REQUEST,
        false => StatusCode::OK,
    };
    let page = Page {
        frame,
        letters: answer.items.into_iter().map(|it| it.row(now)).collect(),
        reasons: REASONS
            .iter()
            .map(|(name, _)| Choice {
                name,
                is_chosen: reason == Some(name),
            })
            .collect(),
        reason: reason.unwrap_or_default().to_owned(),
        source: source.unwrap_or_default().to_owned(),
        is_no_source,
        next,
    };
    page_with(status, &page)
}
