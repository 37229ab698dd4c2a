//! `/console/tokens/bulk`: the revocation of all tokens that a filter matches. First a dry run fixes them,
//! then whoever types how many they are has them revoked.

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use uuid::Uuid;

use super::choice::{Choice, choices};
use super::filter::{self, Filter};
use super::is_shown_above;
use super::token::{Seen, Token};
use super::values::{self, REASONS};
use crate::console::Console;
use crate::console::form::Form;
use crate::console::frame::{Frame, Place, Tone};
use crate::console::session::{Role, SignedIn};
use crate::console::stop::{Shown, Stop, go_to, page_with};
use crate::console::words::{Moment, count};
use crate::http::path::Id;
use crate::http::query::Parameters;

const BULK: &str = "/v1/tokens/bulk-revoke";

/// What a dry run is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    #[serde(flatten)]
    filter: Filter,
    reason: String,
    key: String,
}

#[derive(Template)]
#[template(path = "console/tokens/bulk_ask.html")]
struct AskPage {
    frame: Frame,
    filter: Filter,
    reasons: Vec<Choice>,
    key: String,
}

/// Says what would be revoked, and asks why.
pub(super) async fn ask(
    State(console): State<Console>,
    signed_in: SignedIn,
    Parameters(asked): Parameters<Asked>,
) -> Shown {
    let refused = unreadable(&asked.filter);
    form(&console, &signed_in, asked, refused)
}

/// What is said of a filter with a field that says nothing: passed over, it would have more tokens revoked.
fn unreadable(filter: &Filter) -> Option<(StatusCode, String)> {
    let text = "A filter cannot be read, so nothing was looked for.";
    (!filter.is_readable()).then(|| (StatusCode::BAD_REQUEST, text.to_owned()))
}

fn form(
    console: &Console,
    signed_in: &SignedIn,
    asked: Asked,
    refused: Option<(StatusCode, String)>,
) -> Shown {
    let mut frame = Frame::new(signed_in, Place::Tokens, "Revoke many tokens");
    let mut status = StatusCode::OK;
    if let Some((refused, text)) = refused {
        frame = frame.saying(Tone::Bad, text);
        status = refused;
    }
    let reason = match asked.reason.as_str() {
        "" => "unspecified",
        given => given,
    };
    let page = AskPage {
        frame,
        reasons: choices(&REASONS, reason),
        filter: asked.filter,
        key: console.app.new_id().to_string(),
    };
    page_with(status, &page)
}

/// A revocation of many tokens, as the management API shows it.
#[derive(Debug, Deserialize)]
struct Job {
    id: Uuid,
    state: String,
    reason: String,
    filter: Option<Value>,
    count: i64,
    pending: i64,
    revoked: i64,
    already_revoked: i64,
    expires_at: Option<chrono::DateTime<chrono::Utc>>,
    #[serde(default)]
    sample: Vec<Token>,
}

#[derive(Template)]
#[template(path = "console/tokens/bulk.html")]
struct Page {
    frame: Frame,
    job: Job,
    /// Some of the tokens, right after the dry run.
    sample: Vec<Seen>,
    /// What the tokens have in common.
    filter: Vec<(String, String)>,
    now: chrono::DateTime<chrono::Utc>,
    complaint: Option<&'static str>,
}

impl Page {
    fn number(&self, number: &i64) -> String {
        count(*number)
    }

    fn reason(&self) -> &str {
        values::reason(&self.job.reason)
    }

    fn expires(&self) -> Option<Moment> {
        let at = self.job.expires_at?;
        Some(Moment { at, now: self.now })
    }

    /// Whether it is a dry run that can still be carried out.
    fn can_run(&self) -> bool {
        let is_over = self.job.expires_at.is_some_and(|at| at <= self.now);
        self.job.state == "planned" && self.job.count > 0 && !is_over
    }

    /// How much of it is done, in a hundred.
    fn share(&self) -> i64 {
        let done = self.job.count - self.job.pending;
        (done * 100).checked_div(self.job.count).unwrap_or(100)
    }
}

/// Makes the dry run, and shows what it found.
pub(super) async fn plan(
    State(console): State<Console>,
    Form { signed_in, fields }: Form<Asked>,
) -> Shown {
    if fields.filter.is_everything() {
        let text = "Name at least one filter: nobody revokes everything by leaving a field empty.";
        let refused = Some((StatusCode::UNPROCESSABLE_ENTITY, text.to_owned()));
        return form(&console, &signed_in, fields, refused);
    }
    if let Some(refused) = unreadable(&fields.filter) {
        return form(&console, &signed_in, fields, Some(refused));
    }
    let owner = match signed_in.person.role {
        Role::Operator => filter::account(&signed_in.api, &fields.filter.account).await?,
        Role::User(_) => Ok(None),
    };
    let Ok(owner) = owner else {
        let text = "There is no account with this id or external id.".to_owned();
        let refused = Some((StatusCode::UNPROCESSABLE_ENTITY, text));
        return form(&console, &signed_in, fields, refused);
    };
    let filter = fields.filter.asked(owner, console.app.now());
    let reason = Some(&fields.reason).filter(|reason| !reason.is_empty());
    let body = json!({ "dry_run": true, "filter": filter, "reason": reason });
    let change = signed_in.api.change(Method::POST, BULK).once(&fields.key);
    match change.with::<Job>(&body).await {
        Ok(job) => progress(&console, &signed_in, job, None),
        Err(Stop::Refused(refused)) if is_shown_above(&refused) => {
            let refused = Some((refused.status(), refused.detail));
            form(&console, &signed_in, fields, refused)
        }
        Err(stop) => Err(stop),
    }
}

/// How far it has come; for one that is only planned, the form that runs it.
pub(super) async fn show(State(console): State<Console>, signed_in: SignedIn, Id(id): Id) -> Shown {
    let job: Job = signed_in.api.get(&format!("{BULK}/{id}"), &()).await?;
    progress(&console, &signed_in, job, None)
}

fn progress(
    console: &Console,
    signed_in: &SignedIn,
    mut job: Job,
    complaint: Option<&'static str>,
) -> Shown {
    let title = match job.state.as_str() {
        "planned" => "Dry run",
        "done" => "Tokens revoked",
        _ => "Tokens are being revoked",
    };
    let now = console.app.now();
    let sample = std::mem::take(&mut job.sample).into_iter();
    let mut frame = Frame::new(signed_in, Place::Tokens, title);
    if let Some(complaint) = complaint {
        frame = frame.saying(Tone::Bad, complaint);
    }
    let status = match complaint {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let page = Page {
        frame,
        sample: sample.map(|token| Seen { token, now }).collect(),
        filter: common(job.filter.as_ref()),
        job,
        now,
        complaint,
    };
    page_with(status, &page)
}

/// What the tokens have in common, in words.
fn common(filter: Option<&Value>) -> Vec<(String, String)> {
    let fields = filter.and_then(Value::as_object);
    let fields = fields.into_iter().flatten();
    let given = fields.filter(|(_, value)| !value.is_null() && **value != json!(false));
    let words = given.map(|(field, value)| {
        let label = match field.as_str() {
            "search" => "Name holds",
            "prefix" => "Secret begins with",
            "scope" => "Holds the scope",
            "expires_after" => "Expires from",
            "expires_before" => "Expires before",
            "never_used" => "Never used",
            "unused_since" => "Neither used nor issued since",
            other => values::label(other),
        };
        let is_moment = ["_before", "_after", "_since"];
        let is_moment = is_moment.iter().any(|end| field.ends_with(end));
        let field = if is_moment { "expires_at" } else { field };
        let value = match value {
            Value::Bool(true) => "yes".to_owned(),
            value => values::value(field, value),
        };
        (label.to_owned(), value)
    });
    words.collect()
}

#[derive(Debug, Deserialize)]
pub(super) struct Confirmed {
    /// How many tokens they are, as it was typed.
    #[serde(default)]
    count: String,
}

/// Revokes the tokens of a plan.
pub(super) async fn run(
    State(console): State<Console>,
    Id(id): Id,
    Form { signed_in, fields }: Form<Confirmed>,
) -> Shown {
    let at = format!("{BULK}/{id}");
    let job: Job = signed_in.api.get(&at, &()).await?;
    let typed: String = fields.count.chars().filter(char::is_ascii_digit).collect();
    if typed != job.count.to_string() {
        let complaint = "This is not how many tokens they are: nothing was revoked.";
        return progress(&console, &signed_in, job, Some(complaint));
    }
    let body = json!({ "dry_run": false, "plan_id": id, "filter": job.filter });
    let change = signed_in.api.change(Method::POST, BULK);
    match change.with::<IgnoredAny>(&body).await {
        Ok(_) => Ok(go_to(&format!("/console/tokens/bulk/{id}"))),
        Err(Stop::Refused(refused)) if refused.code == "PLAN_EXPIRED" => {
            let complaint = "The dry run is too old: make a new one.";
            progress(&console, &signed_in, job, Some(complaint))
        }
        Err(stop) => Err(stop),
    }
}
