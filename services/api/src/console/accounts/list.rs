//! `GET /console/accounts`

use askama::Template;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::{Account, page_of};
use crate::console::Console;
use crate::console::frame::{Frame, Place};
use crate::console::query::{given, url};
use crate::console::session::OperatorIn;
use crate::console::stop::{Shown, go_to, page};
use crate::console::words::Moment;
use crate::http::query::Parameters;

/// The part of the URL that says what is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Query {
    /// An external id, or an id.
    q: Option<String>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct Asked<'a> {
    external_id: Option<&'a str>,
    cursor: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    items: Vec<Account>,
    next_cursor: Option<String>,
}

/// A row of the table.
struct Row {
    page: String,
    title: String,
    external_id: Option<String>,
    role: String,
    state: String,
    created: Moment,
}

#[derive(Template)]
#[template(path = "console/accounts/list.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    q: String,
    next: Option<String>,
}

/// The accounts, the newest first, or the one with an external id.
pub(super) async fn show(
    State(console): State<Console>,
    OperatorIn(signed_in): OperatorIn,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let q = given(query.q.as_ref());
    if let Some(id) = q.and_then(|q| q.parse::<Uuid>().ok()) {
        return Ok(go_to(&page_of(id)));
    }
    let asked = Asked {
        external_id: q,
        cursor: query.cursor.as_deref(),
    };
    let answer: Answer = signed_in.api.get("/v1/accounts", &asked).await?;
    let now = console.app.now();
    let next = answer.next_cursor.map(|cursor| {
        url(
            "/console/accounts",
            &[("q", q), ("cursor", Some(cursor.as_str()))],
        )
    });
    let rows = answer.items.into_iter().map(|account| Row {
        page: account.page(),
        title: account.title(),
        created: account.created(now),
        external_id: account.external_id,
        role: account.role,
        state: account.state,
    });
    page(&Page {
        frame: Frame::new(&signed_in, Place::Accounts, "Accounts"),
        rows: rows.collect(),
        q: q.unwrap_or_default().to_owned(),
        next,
    })
}
