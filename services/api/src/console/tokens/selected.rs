//! `/console/tokens/selected`: the revocation of tokens that were chosen one by one.

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
#[derive(Debug)]
struct Outcome {
    seen: Seen,
    /// Why it was not revoked.
    refused: Option<String>,
}

#[derive(Template)]
#[template(path = "console/tokens/selected_done.html")]
struct DonePage {
    frame: Frame,
    outcomes: Vec<Outcome>,
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

/// Revokes them, one after the other.
pub(super) async fn revoke(
    State(console): State<Console>,
    Form { signed_in, fields }: Form<Selected>,
) -> Shown {
    let rows = read(&console, &signed_in, &fields).await?;
    if fields.count.trim() != rows.len().to_string() {
        return confirm(&console, &signed_in, &fields, true).await;
    }
    let reason = Some(fields.reason.as_str()).filter(|reason| !reason.is_empty());
    let mut outcomes = Vec::new();
    for seen in rows {
        let path = url(&token::path(seen.token.id), &[("reason", reason)]);
        let change = signed_in.api.change(Method::DELETE, &path);
        let refused = match change.plain::<IgnoredAny>().await {
            Ok(_) => None,
            Err(Stop::Refused(refused)) => Some(refused.detail),
            Err(stop) => return Err(stop),
        };
        outcomes.push(Outcome { seen, refused });
    }
    let frame = Frame::new(&signed_in, Place::Tokens, "Tokens revoked");
    let failed = outcomes.iter().filter(|it| it.refused.is_some()).count();
    let done = outcomes.len() - failed;
    let frame = if failed == 0 {
        frame.saying(Tone::Good, format!("Revoked: {done}."))
    } else {
        let text = format!("Revoked: {done}. Not revoked: {failed}.");
        frame.saying(Tone::Bad, text)
    };
    crate::console::stop::page(&DonePage { frame, outcomes })
}
