//! `/console/tokens/{id}/edit`: a token is changed as it was shown, or not at all.

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::choice::Choice;
use super::event::Detail;
use super::fields::{Fields, LimitRow, PRESETS, Wrong};
use super::new::{Expiry, about, refills, windows};
use super::token::{self, Seen, Token};
use super::{is_shown_above, past, values};
use crate::console::Console;
use crate::console::form::Form;
use crate::console::frame::{Frame, Place, Tone};
use crate::console::refused::Refused;
use crate::console::rows::QuotaRow;
use crate::console::session::SignedIn;
use crate::console::stop::{Shown, Stop, go_to, page_with};
use crate::http::path::Id;

#[derive(Template)]
#[template(path = "console/tokens/edit.html")]
struct Page {
    frame: Frame,
    seen: Seen,
    fields: Fields,
    refused: Option<Refused>,
    expiries: Vec<Expiry>,
    limits: Vec<LimitRow>,
    quotas: Vec<QuotaRow>,
    /// What others have changed meanwhile; none if nobody has.
    meanwhile: Option<Meanwhile>,
}

/// What others have changed while the form was filled in.
#[derive(Debug)]
struct Meanwhile {
    /// Since the version that was shown.
    theirs: Vec<Detail>,
    /// What the form asks for, from what the token is now.
    yours: Vec<Detail>,
}

impl Page {
    fn about(&self, pointer: &str) -> Vec<&str> {
        about(self.refused.as_ref(), pointer)
    }

    fn windows(&self, chosen: &str) -> Vec<Choice> {
        windows(chosen)
    }

    fn refills(&self, chosen: &str) -> Vec<Choice> {
        refills(chosen)
    }
}

/// The form, with what the token is.
pub(super) async fn ask(State(console): State<Console>, signed_in: SignedIn, Id(id): Id) -> Shown {
    let token = token::read(&signed_in.api, id).await?;
    let fields = Fields::of(&token);
    form(&console, &signed_in, token, fields, None, None)
}

fn form(
    console: &Console,
    signed_in: &SignedIn,
    token: Token,
    mut fields: Fields,
    refused: Option<Refused>,
    meanwhile: Option<Meanwhile>,
) -> Shown {
    let title = token.title("Edit");
    let mut frame = Frame::new(signed_in, Place::Tokens, title);
    if let Some(refused) = &refused {
        frame = frame.saying(Tone::Bad, refused.detail.clone());
    }
    let status = match (&refused, &meanwhile) {
        (Some(refused), _) => refused.status(),
        (None, Some(_)) => StatusCode::PRECONDITION_FAILED,
        (None, None) => StatusCode::OK,
    };
    // What is sent next is meant for what is shown now.
    fields.version = token.version;
    let page = Page {
        frame,
        expiries: expiries(console, &fields.expiry, token.expires_at.is_some()),
        limits: fields.limit_rows(),
        quotas: fields.quota_rows(),
        seen: Seen {
            token,
            now: console.app.now(),
        },
        fields,
        refused,
        meanwhile,
    };
    page_with(status, &page)
}

/// The ends that may be chosen.
fn expiries(console: &Console, chosen: &str, expires: bool) -> Vec<Expiry> {
    let longest = console.app.policy.longest_lifetime;
    let fits = |days| longest.is_none_or(|longest| days <= longest.num_days());
    let keep = ("keep", "As it is".to_owned());
    let presets = PRESETS.iter().filter(|(_, _, days)| fits(*days));
    let presets = presets.map(|&(value, name, _)| (value, format!("In {name} from now")));
    let at = ("at", "On a date".to_owned());
    let never = (longest.is_none() && expires).then(|| ("never", "Never".to_owned()));
    let all = [keep].into_iter().chain(presets).chain([at]).chain(never);
    let all: Vec<_> = all.collect();
    let is_there = all.iter().any(|(value, _)| *value == chosen);
    let chosen = if is_there { chosen } else { "keep" };
    let expiry = |(value, words)| Expiry {
        is_chosen: value == chosen,
        value,
        words,
    };
    all.into_iter().map(expiry).collect()
}

/// Changes what was typed differently, if nobody has changed the token meanwhile.
pub(super) async fn change(
    State(console): State<Console>,
    Id(id): Id,
    Form { signed_in, fields }: Form<Fields>,
) -> Shown {
    let token = token::read(&signed_in.api, id).await?;
    if token.version != fields.version {
        return conflict(&console, &signed_in, token, fields).await;
    }
    let mut wrong = Wrong::default();
    let body = fields.changes(&token, console.app.now(), &mut wrong);
    if let Some(refused) = wrong.refused() {
        return form(&console, &signed_in, token, fields, Some(refused), None);
    }
    let page = token::page_of(id);
    if body.is_empty() {
        return Ok(go_to(&format!("{page}?done=nothing")));
    }
    let path = token::path(id);
    let change = signed_in.api.change(Method::PATCH, &path);
    let change = change.of_version(fields.version);
    match change.with::<IgnoredAny>(&body).await {
        Ok(_) => Ok(go_to(&format!("{page}?done=changed"))),
        Err(Stop::Refused(refused)) if refused.status == 412 => {
            let token = token::read(&signed_in.api, id).await?;
            conflict(&console, &signed_in, token, fields).await
        }
        Err(Stop::Refused(refused)) if is_shown_above(&refused) => {
            form(&console, &signed_in, token, fields, Some(*refused), None)
        }
        Err(stop) => Err(stop),
    }
}

/// Somebody else was faster: both changes side by side, and the form as it was typed.
async fn conflict(console: &Console, signed_in: &SignedIn, token: Token, fields: Fields) -> Shown {
    let theirs = since(signed_in, token.id, fields.version).await?;
    // What is wrong with it is said when it is sent again.
    let asked = fields.changes(&token, console.app.now(), &mut Wrong::default());
    let before = Fields::of(&token).whole(&mut Wrong::default());
    let yours = asked.iter().map(|(field, after)| Detail {
        label: values::label(field).to_owned(),
        before: before.get(field).map(|it| values::value(field, it)),
        after: values::value(field, after),
    });
    let meanwhile = Some(Meanwhile {
        theirs,
        yours: yours.collect(),
    });
    form(console, signed_in, token, fields, None, meanwhile)
}

/// What has changed since a version; nothing where it is none that there was.
async fn since(signed_in: &SignedIn, id: Uuid, version: u64) -> Result<Vec<Detail>, Stop> {
    match past::since(&signed_in.api, id, version.to_string()).await {
        Err(Stop::Refused(refused)) if refused.is_about_input() => Ok(Vec::new()),
        read => read,
    }
}
