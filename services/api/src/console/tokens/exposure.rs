//! `GET /console/tokens/{id}/exposure`: everything that a token did since a moment.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::token::{self, Seen};
use super::{is_shown_above, times};
use crate::console::Console;
use crate::console::frame::{Frame, Place, Tone};
use crate::console::session::SignedIn;
use crate::console::stop::{Shown, Stop, page_with};
use crate::console::words::{Moment, count};
use crate::http::path::Id;
use crate::http::query::Parameters;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Query {
    /// From when on: as a form's field has it; from the token's beginning if it is empty.
    since: String,
}

#[derive(Debug, Serialize)]
struct Asked {
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
}

/// The report, as the management API gives it.
#[derive(Debug, Deserialize)]
struct Report {
    since: DateTime<Utc>,
    usage_complete_through: DateTime<Utc>,
    revocation: Option<Revocation>,
    requests: i64,
    allowed: i64,
    first_seen: Option<DateTime<Utc>>,
    last_seen: Option<DateTime<Utc>>,
    last_allowed: Option<DateTime<Utc>>,
    last_refused: Option<DateTime<Utc>>,
    verdicts: Traces,
    endpoints: Traces,
    methods: Traces,
    addresses: Traces,
    networks: Traces,
}

#[derive(Debug, Deserialize)]
struct Revocation {
    revoked_at: DateTime<Utc>,
    applied_everywhere: bool,
    allowed_after: i64,
}

#[derive(Debug, Deserialize)]
struct Traces {
    items: Vec<Trace>,
    count: i64,
}

#[derive(Debug, Deserialize)]
struct Trace {
    key: Option<String>,
    requests: i64,
    allowed: i64,
    first_seen: Option<DateTime<Utc>>,
    last_seen: Option<DateTime<Utc>>,
}

/// One table of the page.
#[derive(Debug)]
struct Table<'a> {
    title: &'static str,
    /// What stands in its first column.
    kind: &'static str,
    traces: &'a Traces,
}

impl Table<'_> {
    /// How many there are beside those that are shown.
    fn more(&self) -> Option<String> {
        let shown = i64::try_from(self.traces.items.len()).ok()?;
        let more = self.traces.count - shown;
        (more > 0).then(|| count(more))
    }
}

#[derive(Template)]
#[template(path = "console/tokens/exposure.html")]
struct Page {
    frame: Frame,
    seen: Seen,
    since: String,
    report: Option<Report>,
}

impl Page {
    fn tables<'a>(&self, report: &'a Report) -> Vec<Table<'a>> {
        let table = |title, kind, traces| Table {
            title,
            kind,
            traces,
        };
        vec![
            table("Where to", "Endpoint", &report.endpoints),
            table("From which addresses", "Address", &report.addresses),
            table("From which networks", "Network", &report.networks),
            table("What the checks said", "Verdict", &report.verdicts),
            table("How", "Method", &report.methods),
        ]
    }

    fn number(&self, number: &i64) -> String {
        count(*number)
    }

    fn moment(&self, at: &DateTime<Utc>) -> Moment {
        self.seen.moment(*at)
    }

    fn maybe(&self, at: &Option<DateTime<Utc>>) -> Option<Moment> {
        at.map(|at| self.seen.moment(at))
    }
}

/// What a token did.
pub(super) async fn show(
    State(console): State<Console>,
    signed_in: SignedIn,
    Id(id): Id,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let now = console.app.now();
    let token = token::read(&signed_in.api, id).await?;
    let title = token.title("What did it do?");
    let mut frame = Frame::new(&signed_in, Place::Tokens, title);
    let mut status = StatusCode::OK;
    let since = times::moment(&query.since);
    if since.is_none() && !query.since.trim().is_empty() {
        let text = "This is no moment: here is everything from the token’s beginning.";
        frame = frame.saying(Tone::Bad, text);
        status = StatusCode::BAD_REQUEST;
    }
    let asked = Asked {
        since: since.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true)),
    };
    let path = format!("{}/exposure", token::path(id));
    let report: Option<Report> = match signed_in.api.get(&path, &asked).await {
        Ok(report) => Some(report),
        Err(Stop::Refused(refused)) if is_shown_above(&refused) => {
            status = refused.status();
            frame = frame.saying(Tone::Bad, refused.detail);
            None
        }
        Err(stop) => return Err(stop),
    };
    let from = report.as_ref().map(|report| report.since);
    let page = Page {
        since: times::typed(from.or(since).unwrap_or(token.created_at)),
        frame,
        seen: Seen { token, now },
        report,
    };
    page_with(status, &page)
}
