//! `/console/tokens/{id}/rotate`

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::is_shown_above;
use super::secret::{self, Rotation, WithSecret};
use super::token::{self, Seen};
use crate::console::Console;
use crate::console::form::Form;
use crate::console::frame::{Frame, Place, Tone};
use crate::console::refused::Refused;
use crate::console::session::SignedIn;
use crate::console::stop::{Shown, Stop, page_with};
use crate::http::path::Id;

#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    key: String,
    /// How long the earlier secrets go on working, in seconds.
    grace: i64,
}

#[derive(Template)]
#[template(path = "console/tokens/rotate.html")]
struct Page {
    frame: Frame,
    seen: Seen,
    key: String,
}

/// Asks for how long the earlier secrets are to go on working.
pub(super) async fn ask(State(console): State<Console>, signed_in: SignedIn, Id(id): Id) -> Shown {
    form(&console, &signed_in, id, None).await
}

async fn form(
    console: &Console,
    signed_in: &SignedIn,
    id: Uuid,
    refused: Option<Refused>,
) -> Shown {
    let token = token::read(&signed_in.api, id).await?;
    let title = token.title("New secret");
    let mut frame = Frame::new(signed_in, Place::Tokens, title);
    let status = refused.as_ref().map_or(StatusCode::OK, Refused::status);
    if let Some(refused) = refused {
        frame = frame.saying(Tone::Bad, refused.detail);
    }
    let page = Page {
        frame,
        seen: Seen {
            token,
            now: console.app.now(),
        },
        key: console.app.new_id().to_string(),
    };
    page_with(status, &page)
}

/// Gives the token a new secret, and shows it.
pub(super) async fn rotate(
    State(console): State<Console>,
    Id(id): Id,
    headers: HeaderMap,
    Form { signed_in, fields }: Form<Fields>,
) -> Shown {
    let path = format!("{}/rotate", token::path(id));
    let body = json!({ "grace_seconds": fields.grace });
    let change = signed_in.api.change(Method::POST, &path).once(&fields.key);
    match change.with::<WithSecret>(&body).await {
        Ok(rotated) => {
            let grace = TimeDelta::try_seconds(fields.grace).filter(|it| !it.is_zero());
            let grace_until = grace.map(|grace| rotated.changed_at() + grace);
            let rotation = Some(Rotation { grace_until });
            secret::page(&console, &signed_in, &headers, rotated, rotation)
        }
        Err(Stop::Refused(refused)) if is_shown_above(&refused) => {
            form(&console, &signed_in, id, Some(*refused)).await
        }
        Err(stop) => Err(stop),
    }
}
