//! `/console/tokens/selected`: the revocation of tokens that were chosen one by one.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::choice::{Choice, choices};
use super::token::{self, Seen};
use super::values::REASONS;
use crate::console::Console;
use crate::console::form::Form;
use crate::console::frame::{Frame, Place, Tone};
use crate::console::query::url;
use crate::console::session::SignedIn;
use crate::console::stop::{Shown, Stop, go_to, page_with};

/// How many are taken at a time: as many as one page of the list shows.
const MOST: usize = 200;

/// How long they are revoked: less than the whole page may take, so that it can tell what was done.
const PATIENCE: Duration = Duration::from_secs(7);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Selected {
    id: Vec<Uuid>,
    reason: String,
    /// How many they are, as it was typed.
    count: String,
}

#[derive(Template)]
#[template(path = "console/tokens/selected.html")]
struct AskPage {
    frame: Frame,
    rows: Vec<Seen>,
    reasons: Vec<Choice>,
    is_wrong: bool,
}

/// What became of one token.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Became {
    /// It was revoked just now.
    Revoked,
    /// It was revoked before.
    Before,
    /// Why it was not revoked.
    Refused(String),
    /// Nobody has answered: it may be revoked or not.
    Unknown,
    /// Nothing was asked, as nobody answers or time is up.
    NotTried,
}

#[derive(Debug)]
struct Outcome {
    seen: Seen,
    became: Became,
}

impl Outcome {
    /// Whether the same may be asked again.
    fn is_open(&self) -> bool {
        matches!(self.became, Became::Unknown | Became::NotTried)
    }
}

#[derive(Template)]
#[template(path = "console/tokens/selected_done.html")]
struct DonePage {
    frame: Frame,
    outcomes: Vec<Outcome>,
}

impl DonePage {
    fn is_any_open(&self) -> bool {
        self.outcomes.iter().any(Outcome::is_open)
    }
}

/// Shows the tokens once more, and asks how many they are and why.
pub(super) async fn ask(
    State(console): State<Console>,
    Form { signed_in, fields }: Form<Selected>,
) -> Shown {
    confirm(&console, &signed_in, &fields, false).await
}

/// The tokens that were selected and are there, each once.
async fn read(
    console: &Console,
    signed_in: &SignedIn,
    selected: &Selected,
) -> Result<Vec<Seen>, Stop> {
    let now = console.app.now();
    let mut ids = selected.id.clone();
    ids.sort_unstable();
    ids.dedup();
    ids.truncate(MOST);
    let mut rows = Vec::new();
    for id in ids {
        match token::read(&signed_in.api, id).await {
            Ok(token) => rows.push(Seen { token, now }),
            // Not there, or not theirs to see.
            Err(Stop::Refused(refused)) if refused.status == 404 => {}
            Err(stop) => return Err(stop),
        }
    }
    Ok(rows)
}

async fn confirm(
    console: &Console,
    signed_in: &SignedIn,
    selected: &Selected,
    is_wrong: bool,
) -> Shown {
    let rows = read(console, signed_in, selected).await?;
    let rows: Vec<Seen> = rows.into_iter().filter(Seen::is_alive).collect();
    if rows.is_empty() {
        return Ok(go_to("/console/tokens"));
    }
    let mut frame = Frame::new(signed_in, Place::Tokens, "Revoke the selected tokens");
    let mut status = StatusCode::OK;
    if is_wrong {
        let text = "This is not how many tokens they are: nothing was revoked.";
        frame = frame.saying(Tone::Bad, text);
        status = StatusCode::UNPROCESSABLE_ENTITY;
    }
    let reason = match selected.reason.as_str() {
        "" => "unspecified",
        given => given,
    };
    let page = AskPage {
        frame,
        rows,
        reasons: choices(&REASONS, reason),
        is_wrong,
    };
    page_with(status, &page)
}

/// Revokes them, one after the other, and tells of each what became of it: as far as there is time, and until
/// nobody answers.
pub(super) async fn revoke(
    State(console): State<Console>,
    Form { signed_in, fields }: Form<Selected>,
) -> Shown {
    let until = console.app.clock.boot_time() + PATIENCE;
    let rows = read(&console, &signed_in, &fields).await?;
    if fields.count.trim() != rows.len().to_string() {
        return confirm(&console, &signed_in, &fields, true).await;
    }
    let reason = Some(fields.reason.as_str()).filter(|reason| !reason.is_empty());
    let mut outcomes: Vec<Outcome> = Vec::new();
    for seen in rows {
        let left = until.saturating_sub(console.app.clock.boot_time());
        let is_over = left.is_zero() || outcomes.last().is_some_and(Outcome::is_open);
        let became = match seen.is_alive() {
            false => Became::Before,
            true if is_over => Became::NotTried,
            true => {
                let asked = revoke_one(&signed_in, seen.token.id, reason);
                let became = tokio::time::timeout(left, asked).await;
                became.unwrap_or(Became::Unknown)
            }
        };
        outcomes.push(Outcome { seen, became });
    }
    done(&signed_in, outcomes)
}

async fn revoke_one(signed_in: &SignedIn, id: Uuid, reason: Option<&str>) -> Became {
    let path = url(&token::path(id), &[("reason", reason)]);
    let change = signed_in.api.change(Method::DELETE, &path);
    match change.plain::<IgnoredAny>().await {
        Ok(_) => Became::Revoked,
        Err(Stop::Refused(refused)) if !refused.status().is_server_error() => {
            Became::Refused(refused.detail)
        }
        Err(_) => Became::Unknown,
    }
}

fn done(signed_in: &SignedIn, outcomes: Vec<Outcome>) -> Shown {
    let number = |is: fn(&Became) -> bool| outcomes.iter().filter(|it| is(&it.became)).count();
    let numbers = [
        ("Revoked", number(|it| *it == Became::Revoked)),
        ("Revoked before", number(|it| *it == Became::Before)),
        ("Not revoked", number(|it| matches!(it, Became::Refused(_)))),
        ("Not known", number(|it| *it == Became::Unknown)),
        ("Not tried", number(|it| *it == Became::NotTried)),
    ];
    let said = numbers.iter().enumerate();
    let said = said.filter(|(place, (_, number))| *place == 0 || *number > 0);
    let said: Vec<String> = said
        .map(|(_, (what, number))| format!("{what}: {number}."))
        .collect();
    let (tone, title) = match numbers[2..].iter().all(|(_, number)| *number == 0) {
        true => (Tone::Good, "Tokens revoked"),
        false => (Tone::Bad, "Not all tokens are revoked"),
    };
    let frame = Frame::new(signed_in, Place::Tokens, title);
    let page = DonePage {
        frame: frame.saying(tone, said.join(" ")),
        outcomes,
    };
    let status = match page.is_any_open() {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::OK,
    };
    page_with(status, &page)
}
