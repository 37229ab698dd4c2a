//! `POST /console/tokens/{id}/suspend` and `/resume`: what can be taken back is done at once.

use axum::extract::State;
use axum::http::Method;
use serde::Deserialize;
use uuid::Uuid;

use super::{detail, is_shown_above, token};
use crate::console::Console;
use crate::console::form::Form;
use crate::console::frame::Tone;
use crate::console::session::SignedIn;
use crate::console::stop::{Shown, Stop, go_to};
use crate::http::path::Id;

/// A form in which nothing is typed.
#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

/// A token after a change of it.
#[derive(Debug, Deserialize)]
pub(super) struct Changed {
    version: u64,
}

impl Changed {
    /// Where the console tells which nodes answer by the change.
    pub(super) fn receipt(&self, id: Uuid) -> String {
        let (page, version) = (token::page_of(id), self.version);
        format!("{page}/receipt?version={version}")
    }
}

/// Lets a token rest.
pub(super) async fn suspend(
    State(console): State<Console>,
    Id(id): Id,
    Form { signed_in, .. }: Form<Nothing>,
) -> Shown {
    change(&console, &signed_in, id, "suspend").await
}

/// Lets a token work again.
pub(super) async fn resume(
    State(console): State<Console>,
    Id(id): Id,
    Form { signed_in, .. }: Form<Nothing>,
) -> Shown {
    change(&console, &signed_in, id, "resume").await
}

async fn change(console: &Console, signed_in: &SignedIn, id: Uuid, what: &str) -> Shown {
    let path = format!("{}/{what}", token::path(id));
    let changed = signed_in.api.change(Method::POST, &path).plain::<Changed>();
    match changed.await {
        Ok(changed) => Ok(go_to(&changed.receipt(id))),
        Err(Stop::Refused(refused)) if is_shown_above(&refused) => {
            let notice = Some((Tone::Bad, refused.detail.clone()));
            detail::now(console, signed_in, id, refused.status(), notice).await
        }
        Err(stop) => Err(stop),
    }
}
