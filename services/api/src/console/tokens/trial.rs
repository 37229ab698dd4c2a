//! `/console/tokens/{id}/try`: what a change would have refused of the last days.

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::choice::{Choice, choices};
use super::fields::{Fields, LimitRow, Wrong, words};
use super::is_shown_above;
use super::new::{about, windows};
use super::token::{self, Seen, Token};
use crate::console::Console;
use crate::console::form::Form;
use crate::console::frame::{Frame, Place, Tone};
use crate::console::refused::Refused;
use crate::console::session::SignedIn;
use crate::console::stop::{Shown, Stop, page_with};
use crate::console::words::{Moment, count};
use crate::http::path::Id;

const SPANS: [(&str, &str); 3] = [("1", "1 day"), ("7", "7 days"), ("30", "30 days")];

/// What is to be tried: the part of the form about a token that can be.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    days: String,
    allowed_cidrs: String,
    limit_name: Vec<String>,
    limit_units: Vec<String>,
    limit_window: Vec<String>,
    limit_burst: Vec<String>,
    limit_cost: Vec<String>,
}

impl From<Asked> for Fields {
    fn from(typed: Asked) -> Self {
        Self {
            allowed_cidrs: typed.allowed_cidrs,
            limit_name: typed.limit_name,
            limit_units: typed.limit_units,
            limit_window: typed.limit_window,
            limit_burst: typed.limit_burst,
            limit_cost: typed.limit_cost,
            ..Self::default()
        }
    }
}

/// What the change would have refused.
#[derive(Debug, Deserialize)]
struct Report {
    since: DateTime<Utc>,
    judged: u64,
    cut: bool,
    without_address: u64,
    refused: u64,
    verdicts: Vec<RefusedBy>,
}

#[derive(Debug, Deserialize)]
struct RefusedBy {
    verdict: String,
    requests: u64,
    examples: Vec<Example>,
}

#[derive(Debug, Deserialize)]
struct Example {
    timestamp: DateTime<Utc>,
    method: String,
    endpoint: String,
    ip: Option<String>,
    user_agent: String,
}

#[derive(Template)]
#[template(path = "console/tokens/trial.html")]
struct Page {
    frame: Frame,
    seen: Seen,
    fields: Fields,
    refused: Option<Refused>,
    spans: Vec<Choice>,
    limits: Vec<LimitRow>,
    report: Option<Report>,
}

impl Page {
    fn about(&self, pointer: &str) -> Vec<&str> {
        about(self.refused.as_ref(), pointer)
    }

    fn windows(&self, chosen: &str) -> Vec<Choice> {
        windows(chosen)
    }

    fn number(&self, number: &u64) -> String {
        count(*number)
    }

    fn moment(&self, at: &DateTime<Utc>) -> Moment {
        self.seen.moment(*at)
    }
}

/// The form, with what the token has.
pub(super) async fn ask(State(console): State<Console>, signed_in: SignedIn, Id(id): Id) -> Shown {
    let token = token::read(&signed_in.api, id).await?;
    let fields = Fields::of(&token);
    form(&console, &signed_in, token, ("7", fields), Ok(None))
}

fn form(
    console: &Console,
    signed_in: &SignedIn,
    token: Token,
    (days, fields): (&str, Fields),
    outcome: Result<Option<Report>, Refused>,
) -> Shown {
    let title = token.title("Try a change");
    let mut frame = Frame::new(signed_in, Place::Tokens, title);
    let mut status = StatusCode::OK;
    let (report, refused) = match outcome {
        Ok(report) => (report, None),
        Err(refused) => {
            frame = frame.saying(Tone::Bad, refused.detail.clone());
            status = refused.status();
            (None, Some(refused))
        }
    };
    let page = Page {
        frame,
        seen: Seen {
            token,
            now: console.app.now(),
        },
        spans: choices(&SPANS, days),
        limits: fields.limit_rows(),
        fields,
        refused,
        report,
    };
    page_with(status, &page)
}

/// Tries it on the last days.
pub(super) async fn run(
    State(console): State<Console>,
    Id(id): Id,
    Form { signed_in, fields }: Form<Asked>,
) -> Shown {
    let token = token::read(&signed_in.api, id).await?;
    let days = fields.days.clone();
    let fields = Fields::from(fields);
    let mut wrong = Wrong::default();
    let mut body = Map::new();
    let number: Option<u64> = days.trim().parse().ok();
    match number {
        Some(number) => body.insert("days".to_owned(), json!(number)),
        None => {
            wrong.add("/days", "this is a number of days");
            None
        }
    };
    body.insert(
        "allowed_cidrs".to_owned(),
        json!(words(&fields.allowed_cidrs)),
    );
    body.insert("rate_limits".to_owned(), fields.rate_limits(&mut wrong));
    let outcome = match wrong.refused() {
        Some(refused) => Err(refused),
        None => tried(&signed_in, &token, &body).await?,
    };
    form(&console, &signed_in, token, (&days, fields), outcome)
}

async fn tried(
    signed_in: &SignedIn,
    token: &Token,
    body: &Map<String, Value>,
) -> Result<Result<Option<Report>, Refused>, Stop> {
    let path = format!("{}/dry-run", token::path(token.id));
    match signed_in.api.change(Method::POST, &path).with(body).await {
        Ok(report) => Ok(Ok(Some(report))),
        Err(Stop::Refused(refused)) if is_shown_above(&refused) => Ok(Err(*refused)),
        Err(stop) => Err(stop),
    }
}
