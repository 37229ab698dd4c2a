//! `/console/tokens/{id}/revoke`

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::choice::{Choice, choices};
use super::is_shown_above;
use super::token::{self, Seen, Token};
use super::values::REASONS;
use crate::console::Console;
use crate::console::form::Form;
use crate::console::frame::{Frame, Place, Tone};
use crate::console::query::url;
use crate::console::refused::Refused;
use crate::console::session::SignedIn;
use crate::console::stop::{Shown, Stop, go_to, page_with};
use crate::http::path::Id;

/// How many of the tokens that it was used to issue are counted.
const COUNTED: u32 = 200;

#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    reason: String,
    /// Whether the tokens that it was used to issue end too.
    #[serde(default)]
    cascade: Option<String>,
}

/// The tokens that were issued with one.
#[derive(Debug, Default, Deserialize)]
struct Children {
    items: Vec<Token>,
    next_cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "console/tokens/revoke.html")]
struct Page {
    frame: Frame,
    seen: Seen,
    reasons: Vec<Choice>,
    children: usize,
    has_more: bool,
}

/// Asks once more, and why.
pub(super) async fn ask(State(console): State<Console>, signed_in: SignedIn, Id(id): Id) -> Shown {
    form(&console, &signed_in, id, None).await
}

async fn form(
    console: &Console,
    signed_in: &SignedIn,
    id: Uuid,
    refused: Option<Refused>,
) -> Shown {
    #[derive(Serialize)]
    struct Query {
        issued_by: Uuid,
        limit: u32,
    }
    let query = Query {
        issued_by: id,
        limit: COUNTED,
    };
    let token = token::read(&signed_in.api, id).await?;
    let children: Children = signed_in.api.get("/v1/tokens", &query).await?;
    let mut frame = Frame::new(signed_in, Place::Tokens, token.title("Revoke"));
    let status = refused.as_ref().map_or(StatusCode::OK, Refused::status);
    if let Some(refused) = refused {
        frame = frame.saying(Tone::Bad, refused.detail);
    }
    let living = children.items.iter().filter(|it| it.state != "revoked");
    let page = Page {
        children: living.count(),
        has_more: children.next_cursor.is_some(),
        reasons: choices(&REASONS, "unspecified"),
        seen: Seen {
            token,
            now: console.app.now(),
        },
        frame,
    };
    page_with(status, &page)
}

#[derive(Debug, Deserialize)]
struct Revoked {
    version: u64,
    cascade: Option<Cascade>,
}

#[derive(Debug, Deserialize)]
struct Cascade {
    job_id: Uuid,
}

/// Ends the token.
pub(super) async fn revoke(
    State(console): State<Console>,
    Id(id): Id,
    Form { signed_in, fields }: Form<Fields>,
) -> Shown {
    let reason = Some(fields.reason.as_str()).filter(|reason| !reason.is_empty());
    let cascade = fields.cascade.as_ref().map(|_| "true");
    let path = url(
        &token::path(id),
        &[("reason", reason), ("cascade", cascade)],
    );
    let change = signed_in.api.change(Method::DELETE, &path);
    match change.plain::<Revoked>().await {
        Ok(revoked) => Ok(go_to(&match revoked.cascade {
            Some(cascade) => format!("/console/tokens/bulk/{}", cascade.job_id),
            None => {
                let (page, version) = (token::page_of(id), revoked.version);
                format!("{page}/receipt?version={version}")
            }
        })),
        Err(Stop::Refused(refused)) if is_shown_above(&refused) => {
            form(&console, &signed_in, id, Some(*refused)).await
        }
        Err(stop) => Err(stop),
    }
}
