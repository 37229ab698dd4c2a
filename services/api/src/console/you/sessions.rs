//! Ending sessions: one, or all of them.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use serde::Deserialize;
use tollkeeper_read_model::audit::{self, Act};

use super::newcomer;
use crate::console::Console;
use crate::console::form::Form;
use crate::console::session::{Visit, cookie, store};
use crate::console::stop::{Shown, go_to};
use crate::http::path::Id;
use crate::http::problem::Problem;

#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

/// `POST /console/you/sessions/{id}/end`: of one's own sessions only.
pub(super) async fn end_one(
    State(console): State<Console>,
    Id(id): Id,
    form: Form<Nothing>,
) -> Shown {
    let person = form.signed_in.person.id;
    if !store::end_one(&console.app.pool, person, id).await? {
        return Err(Problem::not_found("session").into());
    }
    Ok(go_to("/console/you?done=session-ended"))
}

/// `POST /console/you/sign-out-everywhere`
pub(super) async fn end_all(
    State(console): State<Console>,
    visit: Visit,
    form: Form<Nothing>,
) -> Shown {
    let person = newcomer(&form.signed_in);
    let mut transaction = console.app.pool.begin().await?;
    let ended = store::end_all(&mut *transaction, person.id).await?;
    let actor = person.actor();
    let entry = person.entry(&actor, &visit, Act::PersonSignedOut);
    audit::note(&mut *transaction, &entry.with("sessions", ended)).await?;
    transaction.commit().await?;
    let mut response = go_to("/console/sign-in?done=signed-out-everywhere");
    let forgotten = cookie::forget(&visit.headers);
    response.headers_mut().append(SET_COOKIE, forgotten);
    Ok(response)
}
