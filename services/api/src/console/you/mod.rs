//! `/console/you`: who is signed in, where, and by what.

mod password;
mod sessions;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde::Deserialize;
use tollkeeper_read_model::people::{self, PersonRow};

use super::Console;
use super::frame::{Frame, Place, Tone};
use super::session::{Newcomer, Role, SignedIn, store};
use super::stop::{Shown, Stop, page};
use super::words::Moment;
use crate::http::problem::Problem;
use crate::http::query::Parameters;

/// The pages about whoever is signed in.
pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/you", get(show))
        .route("/console/you/password", post(password::change))
        .route("/console/you/sessions/{id}/end", post(sessions::end_one))
        .route("/console/you/sign-out-everywhere", post(sessions::end_all))
}

/// A session, as the page shows it.
struct Session {
    id: String,
    is_this: bool,
    browser: String,
    network: Option<String>,
    began: Moment,
    seen: Moment,
    ends: Moment,
}

#[derive(Template)]
#[template(path = "console/you/you.html")]
struct Page {
    frame: Frame,
    person: PersonRow,
    added: Moment,
    sessions: Vec<Session>,
    /// What the provider is called, where there is one.
    provider: Option<String>,
    complaints: Complaints,
}

/// What is wrong with what was sent to change the password.
#[derive(Debug, Default)]
struct Complaints {
    current: Option<String>,
    new: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    #[serde(default)]
    done: String,
}

async fn show(
    State(console): State<Console>,
    signed_in: SignedIn,
    Parameters(query): Parameters<Query>,
) -> Shown {
    let mut shown = Page::of(&console, &signed_in).await?;
    let done = match query.done.as_str() {
        "password-changed" => {
            Some("Your password is changed. Every other session of yours is signed out.")
        }
        "session-ended" => Some("That session is signed out."),
        _ => None,
    };
    if let Some(done) = done {
        shown.frame = shown.frame.saying(Tone::Good, done);
    }
    page(&shown)
}

impl Page {
    async fn of(console: &Console, signed_in: &SignedIn) -> Result<Self, Stop> {
        let (pool, now) = (&console.app.pool, console.app.now());
        let person = people::find(pool, signed_in.person.id).await?;
        // Whoever is removed in between is not signed in any more.
        let person = person.ok_or_else(|| Problem::not_found("person"))?;
        let at = |at| Moment { at, now };
        let sessions = store::list(pool, person.id, now).await?;
        let sessions = sessions.into_iter().map(|session| Session {
            is_this: session.id == signed_in.session,
            id: session.id.to_string(),
            browser: session.browser,
            network: session.network,
            began: at(session.created_at),
            seen: at(session.seen_at),
            ends: at(session.expires_at),
        });
        Ok(Self {
            frame: Frame::new(signed_in, Place::You, "You"),
            added: at(person.created_at),
            sessions: sessions.collect(),
            provider: console
                .app
                .policy
                .oidc
                .as_ref()
                .map(|it| it.name().to_owned()),
            person,
            complaints: Complaints::default(),
        })
    }
}

/// Whoever is signed in, as the audit log tells of them.
fn newcomer(signed_in: &SignedIn) -> Newcomer {
    Newcomer {
        id: signed_in.person.id,
        email: signed_in.person.email.clone(),
        account_id: match signed_in.person.role {
            Role::User(id) => Some(id),
            Role::Operator => None,
        },
    }
}
