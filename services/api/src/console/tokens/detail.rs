//! `GET /console/tokens/{id}`

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::event::Detail;
use super::history::{self, Part};
use super::is_shown_above;
use super::past;
use super::token::{self, Seen};
use super::usage::{self, Use};
use super::{times, values};
use crate::console::Console;
use crate::console::api::Api;
use crate::console::chart::Share;
use crate::console::frame::{Frame, Place, Tone};
use crate::console::session::{Role, SignedIn};
use crate::console::stop::{Shown, Stop, page_with};
use crate::console::words::{Moment, count};
use crate::http::path::Id;
use crate::http::query::Parameters;

/// How many entries of the history the page shows.
const ENTRIES: u64 = 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Query {
    /// The moment to look at: as a form's field has it, or as the API tells it.
    at: String,
    /// What was done just before.
    done: String,
}

/// A quota and what is left of it.
#[derive(Debug, Clone, Deserialize)]
struct QuotaUse {
    name: String,
    limit: u64,
    refill: String,
    used: u64,
    remaining: u64,
    resets_at: Option<DateTime<Utc>>,
}

impl QuotaUse {
    fn words(&self) -> String {
        format!("{} {}", count(self.limit), values::refill(&self.refill))
    }

    fn left(&self) -> String {
        count(self.remaining)
    }

    fn bar(&self) -> Share {
        Share::new(self.used, 0, self.limit)
    }

    /// How much of it is used, in a hundred.
    fn share(&self) -> u64 {
        let used = self.used.min(self.limit);
        (u128::from(used) * 100)
            .checked_div(u128::from(self.limit))
            .and_then(|share| u64::try_from(share).ok())
            .unwrap_or(100)
    }
}

#[derive(Debug, Default, Deserialize)]
struct Quotas {
    items: Vec<QuotaUse>,
}

/// What a page about the past shows beside the token as it was.
#[derive(Debug)]
struct Past {
    at: DateTime<Utc>,
    /// What is not as it was.
    since: Vec<Detail>,
}

#[derive(Template)]
#[template(path = "console/tokens/detail.html")]
struct Page {
    frame: Frame,
    seen: Seen,
    is_operator: bool,
    past: Option<Past>,
    /// The moment that is looked at.
    at: Option<DateTime<Utc>>,
    quotas: Vec<QuotaUse>,
    usage: Use,
    part: Part,
}

impl Page {
    /// The moment that is looked at, or now, for the field that asks for another.
    fn typed_at(&self) -> String {
        times::typed(self.at.unwrap_or(self.seen.now))
    }

    fn past_moment(&self) -> Option<Moment> {
        self.past.as_ref().map(|past| self.seen.moment(past.at))
    }

    fn resets(&self, quota: &QuotaUse) -> Option<Moment> {
        quota.resets_at.map(|at| self.seen.moment(at))
    }

    fn account_page(&self) -> String {
        format!("/console/accounts/{}", self.seen.token.account_id)
    }

    fn issuer(&self) -> Option<(String, String)> {
        let id = self.seen.token.issued_by?;
        Some((token::page_of(id), token::short(&id)))
    }
}

/// A token: as it is, or as it was.
pub(super) async fn show(
    State(console): State<Console>,
    signed_in: SignedIn,
    Id(id): Id,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let notice = done(&query.done).map(|text| (Tone::Good, text.to_owned()));
    match query.at.trim() {
        "" => now(&console, &signed_in, id, StatusCode::OK, notice).await,
        at => match times::moment(at) {
            Some(at) => then(&console, &signed_in, id, at).await,
            None => {
                let text = "This is no moment: give a date and a time of day, UTC.";
                let notice = Some((Tone::Bad, text.to_owned()));
                now(&console, &signed_in, id, StatusCode::BAD_REQUEST, notice).await
            }
        },
    }
}

fn done(what: &str) -> Option<&'static str> {
    match what {
        "changed" => Some("The token is changed."),
        "nothing" => Some("Nothing was changed."),
        _ => None,
    }
}

/// The token as it is, with a sentence above.
pub(super) async fn now(
    console: &Console,
    signed_in: &SignedIn,
    id: Uuid,
    status: StatusCode,
    notice: Option<(Tone, String)>,
) -> Shown {
    let now = console.app.now();
    let token = token::read(&signed_in.api, id).await?;
    let api = &signed_in.api;
    let (quotas, usage, part) = tokio::join!(
        quotas(api, id, token.quotas.is_empty()),
        usage::read(api, id, now),
        history::read(api, id, (token.version + 1, ENTRIES), now),
    );
    let mut frame = Frame::new(signed_in, Place::Tokens, token.title(""));
    if let Some((tone, text)) = notice {
        frame = frame.saying(tone, text);
    }
    let page = Page {
        frame,
        seen: Seen { token, now },
        is_operator: signed_in.person.role == Role::Operator,
        past: None,
        at: None,
        quotas,
        usage,
        part: part?,
    };
    page_with(status, &page)
}

/// What is left of its quotas; nothing where that cannot be told now, as the page has more to show.
async fn quotas(api: &Api, id: Uuid, has_none: bool) -> Vec<QuotaUse> {
    if has_none {
        return Vec::new();
    }
    let path = format!("{}/quotas", token::path(id));
    let read: Result<Quotas, Stop> = api.get(&path, &()).await;
    read.unwrap_or_default().items
}

/// The token as it was.
async fn then(console: &Console, signed_in: &SignedIn, id: Uuid, at: DateTime<Utc>) -> Shown {
    let read_at = console.app.now();
    let present = token::read(&signed_in.api, id).await?;
    let (token, since) = match past::read(&signed_in.api, id, at).await {
        Ok(read) => read,
        Err(Stop::Refused(refused)) if refused.status == 404 => {
            let created = Moment {
                at: present.created_at,
                now: read_at,
            };
            let text = format!(
                "There was no such token yet: it was made on {}.",
                created.full()
            );
            let notice = Some((Tone::Info, text));
            return now(console, signed_in, id, StatusCode::OK, notice).await;
        }
        Err(Stop::Refused(refused)) if is_shown_above(&refused) => {
            let notice = Some((
                Tone::Bad,
                "Only moments that have been can be looked at.".to_owned(),
            ));
            return now(console, signed_in, id, refused.status(), notice).await;
        }
        Err(stop) => return Err(stop),
    };
    let window = (present.version + 1, ENTRIES);
    let part = history::read(&signed_in.api, id, window, read_at).await?;
    let title = token.title("As it was");
    let page = Page {
        frame: Frame::new(signed_in, Place::Tokens, title),
        seen: Seen {
            token,
            now: read_at,
        },
        is_operator: signed_in.person.role == Role::Operator,
        past: Some(Past { at, since }),
        at: Some(at),
        quotas: Vec::new(),
        usage: Use::default(),
        part,
    };
    page_with(StatusCode::OK, &page)
}
