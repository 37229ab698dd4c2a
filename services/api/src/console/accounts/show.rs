//! `GET /console/accounts/{id}`

use askama::Template;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::account::{Account, active_tokens};
use crate::console::Console;
use crate::console::frame::{Frame, Place, Tone};
use crate::console::query::url;
use crate::console::session::OperatorIn;
use crate::console::stop::{Shown, page};
use crate::console::words::{self, Moment};
use crate::http::path::Id;
use crate::http::query::Parameters;

/// The part of the URL that says what is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Query {
    /// What was just done, by the word in its URL.
    done: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Uses {
    items: Vec<Use>,
}

#[derive(Debug, Deserialize)]
struct Use {
    name: String,
    limit: u64,
    used: u64,
    remaining: u64,
    resets_at: Option<DateTime<Utc>>,
}

/// A row of the quotas.
struct QuotaRow {
    name: String,
    limit: String,
    used: String,
    remaining: String,
    resets: Option<Moment>,
}

/// A row of the rate limits.
struct LimitRow {
    name: String,
    words: String,
}

#[derive(Template)]
#[template(path = "console/accounts/show.html")]
struct Page {
    frame: Frame,
    account: Account,
    title: String,
    page: String,
    created: Moment,
    updated: Moment,
    active: String,
    tokens: String,
    usage: String,
    audit: String,
    limits: Vec<LimitRow>,
    quotas: Vec<QuotaRow>,
}

/// An account.
pub(super) async fn show(
    State(console): State<Console>,
    OperatorIn(signed_in): OperatorIn,
    Id(id): Id,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let api = &signed_in.api;
    let account = Account::read(api, id).await?;
    let path = format!("/v1/accounts/{id}/quotas");
    let uses: Uses = api.get(&path, &()).await?;
    let active = active_tokens(api, id).await?;
    let now = console.app.now();
    let mut frame = Frame::new(&signed_in, Place::Accounts, account.title());
    if let Some(said) = query.done.as_deref().and_then(said) {
        frame = frame.saying(Tone::Good, said);
    }
    let own = account.id.to_string();
    let link = |path| url(path, &[("account_id", Some(own.as_str()))]);
    let limits = account.rate_limits.iter().map(|limit| LimitRow {
        name: limit.name.clone(),
        words: limit.words(),
    });
    page(&Page {
        frame,
        title: account.title(),
        page: account.page(),
        created: account.created(now),
        updated: account.updated(now),
        active,
        tokens: link("/console/tokens"),
        usage: link("/console/usage"),
        audit: link("/console/operation/audit"),
        limits: limits.collect(),
        quotas: uses.items.into_iter().map(|it| it.row(now)).collect(),
        account,
    })
}

/// What was done, in words.
fn said(done: &str) -> Option<&'static str> {
    match done {
        "registered" => Some("The account is registered. It has no tokens yet."),
        "changed" => Some("The account is changed."),
        "suspend" => {
            Some("The account is suspended: all its tokens are refused until it is resumed.")
        }
        "resume" => Some("The account is resumed: its tokens work again."),
        "delete" => Some(
            "The account is deleted. Its tokens are refused, and are revoked in the background.",
        ),
        "refilled" => Some("The quota is full again."),
        _ => None,
    }
}

impl Use {
    fn row(self, now: DateTime<Utc>) -> QuotaRow {
        QuotaRow {
            name: self.name,
            limit: words::count(self.limit),
            used: words::count(self.used),
            remaining: words::count(self.remaining),
            resets: self.resets_at.map(|at| Moment { at, now }),
        }
    }
}
