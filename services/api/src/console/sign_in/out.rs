//! `POST /console/sign-out`

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use serde::Deserialize;

use crate::console::Console;
use crate::console::form::Form;
use crate::console::session::{Visit, cookie, store};
use crate::console::stop::{Shown, go_to};

/// Nothing but that it was sent.
#[derive(Debug, Deserialize)]
pub(in crate::console) struct Nothing {}

/// Ends the session, and has the browser forget it.
pub(super) async fn sign_out(
    State(console): State<Console>,
    visit: Visit,
    form: Form<Nothing>,
) -> Shown {
    let (person, session) = (&form.signed_in.person, form.signed_in.session);
    store::end_one(&console.app.pool, person.id, session).await?;
    let mut response = go_to("/console/sign-in?done=signed-out");
    let forgotten = cookie::forget(&visit.headers);
    response.headers_mut().append(SET_COOKIE, forgotten);
    Ok(response)
}
