//! `GET /console/operation/audit`

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::console::Console;
use crate::console::frame::{Frame, Place, Tone};
use crate::console::id::Id;
use crate::console::query::{given, url};
use crate::console::session::OperatorIn;
use crate::console::stop::{Shown, Stop, page_with};
use crate::console::words::{self, Moment};
use crate::http::query::Parameters;

const HERE: &str = "/console/operation/audit";

/// The part of the URL that says what is shown, as the form gives it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Query {
    #[serde(default)]
    actor: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    account_id: String,
    #[serde(default)]
    subject_id: String,
    #[serde(default)]
    since: String,
    #[serde(default)]
    until: String,
    cursor: Option<String>,
}

/// What is asked of the management API.
#[derive(Debug, Serialize)]
pub(super) struct Asked {
    actor: Option<String>,
    action: Option<String>,
    outcome: Option<String>,
    account_id: Option<String>,
    subject_id: Option<String>,
    since: Option<String>,
    until: Option<String>,
    /// Where the page begins; at the newest line if nobody says.
    pub(super) cursor: Option<String>,
    limit: Option<u32>,
    format: Option<&'static str>,
}

impl Asked {
    /// The same as CSV of at most so many lines.
    pub(super) fn in_csv(self, limit: u32) -> Self {
        Self {
            limit: Some(limit),
            format: Some("csv"),
            ..self
        }
    }
}

#[derive(Debug, Default, Deserialize)]
struct Answer {
    items: Vec<Item>,
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Item {
    at: DateTime<Utc>,
    outcome: String,
    action: Option<String>,
    actor: Option<String>,
    subject_type: Option<String>,
    subject_id: Option<Uuid>,
    code: Option<String>,
    count: i64,
    network: Option<String>,
    request_id: Option<String>,
    position: Option<i64>,
    details: Option<Value>,
}

/// A row of the table.
struct Row {
    at: Moment,
    is_refused: bool,
    action: String,
    actor: String,
    subject: Option<Subject>,
    code: Option<String>,
    /// How many attempts it stands for, where that is more than one.
    times: Option<String>,
    network: Option<String>,
    request: Option<String>,
    position: Option<String>,
    details: Option<String>,
}

/// What it was done to.
struct Subject {
    kind: String,
    id: Id,
    /// Where its page is, if it has one.
    page: Option<String>,
}

#[derive(Template)]
#[template(path = "console/operation/audit.html")]
struct Page {
    frame: Frame,
    query: Query,
    rows: Vec<Row>,
    next: Option<String>,
    export: String,
}

impl Query {
    /// The question to the management API.
    pub(super) fn asked(&self) -> Asked {
        let text = |text: &String| given(Some(text)).map(str::to_owned);
        let moment = |text: &String| given(Some(text)).map(moment);
        Asked {
            actor: text(&self.actor),
            action: text(&self.action),
            outcome: text(&self.outcome),
            account_id: text(&self.account_id),
            subject_id: text(&self.subject_id),
            since: moment(&self.since),
            until: moment(&self.until),
            cursor: self.cursor.clone(),
            limit: None,
            format: None,
        }
    }

    /// The URL of this page or of its export, from this cursor on.
    fn url(&self, path: &str, cursor: Option<&str>) -> String {
        let parts = [
            ("actor", given(Some(&self.actor))),
            ("action", given(Some(&self.action))),
            ("outcome", given(Some(&self.outcome))),
            ("account_id", given(Some(&self.account_id))),
            ("subject_id", given(Some(&self.subject_id))),
            ("since", given(Some(&self.since))),
            ("until", given(Some(&self.until))),
            ("cursor", cursor),
        ];
        url(path, &parts)
    }

    /// Whether anything narrows it down.
    fn is_narrow(&self) -> bool {
        let all = [
            &self.actor,
            &self.action,
            &self.outcome,
            &self.account_id,
            &self.subject_id,
            &self.since,
            &self.until,
        ];
        all.into_iter().any(|text| given(Some(text)).is_some())
    }
}

/// What a field for a moment gives, as the management API takes it; anything else as it is, to be
/// complained about there.
fn moment(text: &str) -> String {
    let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let parsed = formats
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    parsed.map_or_else(|| text.to_owned(), |at| at.and_utc().to_rfc3339())
}

/// Who did what, and who was refused what, the newest first.
pub(super) async fn show(
    State(console): State<Console>,
    OperatorIn(signed_in): OperatorIn,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let mut frame = Frame::new(&signed_in, Place::Operation, "Audit log");
    let answer = signed_in
        .api
        .get::<Answer>("/v1/audit", &query.asked())
        .await;
    let (status, answer) = match answer {
        Ok(answer) => (StatusCode::OK, answer),
        Err(Stop::Refused(refused)) if refused.is_about_input() => {
            frame = frame.saying(Tone::Bad, refused.detail.as_str());
            (refused.status(), Answer::default())
        }
        Err(stop) => return Err(stop),
    };
    let now = console.app.now();
    let next = answer.next_cursor.as_deref();
    let page = Page {
        next: next.map(|cursor| query.url(HERE, Some(cursor))),
        export: query.url("/console/operation/audit/export", None),
        rows: answer.items.into_iter().map(|it| it.row(now)).collect(),
        frame,
        query,
    };
    page_with(status, &page)
}

impl Item {
    fn row(self, now: DateTime<Utc>) -> Row {
        let details = self
            .details
            .filter(|it| it.as_object().is_some_and(|it| !it.is_empty()));
        Row {
            at: Moment { at: self.at, now },
            is_refused: self.outcome == "refused",
            action: self
                .action
                .unwrap_or_else(|| "more than is told apart".to_owned()),
            actor: self.actor.unwrap_or_else(|| "nobody known".to_owned()),
            subject: self
                .subject_id
                .map(|id| Subject::new(self.subject_type, id)),
            code: self.code,
            times: (self.count > 1).then(|| words::count(self.count)),
            network: self.network,
            request: self.request_id,
            position: self.position.map(words::count),
            details: details.map(|it| it.to_string()),
        }
    }
}

impl Subject {
    fn new(kind: Option<String>, id: Uuid) -> Self {
        let page = match kind.as_deref() {
            Some("token") => Some(format!("/console/tokens/{id}")),
            Some("account") => Some(format!("/console/accounts/{id}")),
            _ => None,
        };
        Self {
            kind: kind.unwrap_or_default(),
            id: Id::new(id),
            page,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_of_the_form_is_one_of_utc() {
        assert_eq!(moment("2026-11-22T13:05"), "2026-11-22T13:05:00+00:00");
        assert_eq!(moment("yesterday"), "yesterday");
    }
}
