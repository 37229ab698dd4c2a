//! A one-time link, shown once to the operator who hands it over.

use askama::Template;
use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, StatusCode};
use sqlx::PgConnection;
use tollkeeper_read_model::audit::{self, Act, Entry};
use tollkeeper_read_model::people::{self, LINK_LIFETIME, LinkSecret};
use uuid::Uuid;

use crate::console::Console;
use crate::console::frame::{Frame, Place};
use crate::console::session::{SignedIn, Visit};
use crate::console::stop::{Shown, page_with};
use crate::console::words::Moment;

/// A link, and whose it is.
#[derive(Debug)]
pub(super) struct Given {
    secret: LinkSecret,
    email: String,
}

/// Makes a link for a person, in the transaction of what it is made for.
///
/// # Errors
/// If the database does not answer.
pub(super) async fn give(
    console: &Console,
    db: &mut PgConnection,
    visit: &Visit,
    signed_in: &SignedIn,
    (person, email): (Uuid, &str),
) -> Result<Given, sqlx::Error> {
    let secret = LinkSecret::generate(|bytes| console.app.entropy.fill(bytes));
    people::issue_link(&mut *db, person, &secret, console.app.now()).await?;
    note(db, visit, signed_in, person, Act::PersonLinkIssued).await?;
    Ok(Given {
        secret,
        email: email.to_owned(),
    })
}

/// Notes what an operator does with a person.
///
/// # Errors
/// If the database does not answer.
pub(super) async fn note(
    db: &mut PgConnection,
    visit: &Visit,
    signed_in: &SignedIn,
    person: Uuid,
    act: Act,
) -> Result<(), sqlx::Error> {
    let actor = people::actor(&signed_in.person.email, None);
    let entry = Entry {
        subject_id: Some(person),
        ..Entry::by(&actor, &visit.request_id, act)
    };
    audit::note(db, &entry).await
}

#[derive(Template)]
#[template(path = "console/people/given.html")]
struct Page {
    frame: Frame,
    email: String,
    link: String,
    ends: Moment,
}

/// Shows it.
pub(super) fn show(console: &Console, visit: &Visit, signed_in: &SignedIn, given: &Given) -> Shown {
    let now = console.app.now();
    let at = now + LINK_LIFETIME;
    let link = format!("{}{}", origin(&visit.headers), given.secret.expose_path());
    let page = Page {
        frame: Frame::new(signed_in, Place::People, "A link to hand over"),
        email: given.email.clone(),
        link,
        ends: Moment { at, now },
    };
    page_with(StatusCode::OK, &page)
}

/// Where the browser finds us: it says so with each form.
fn origin(headers: &HeaderMap) -> &str {
    let origin = headers.get(ORIGIN).and_then(|it| it.to_str().ok());
    origin.unwrap_or_default()
}
