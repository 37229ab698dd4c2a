//! Signing somebody in.

use axum::http::HeaderValue;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use sqlx::PgConnection;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_read_model::audit::{self, Act, Entry};
use tollkeeper_read_model::people;
use uuid::Uuid;

use super::{Secret, Visit, cookie, device, store};
use crate::console::Console;

/// Somebody who has shown who they are.
#[derive(Debug, Clone)]
pub(in crate::console) struct Newcomer {
    /// Who.
    pub(in crate::console) id: Uuid,
    /// By which they sign in.
    pub(in crate::console) email: String,
    /// The account that they hold; none for operators.
    pub(in crate::console) account_id: Option<AccountId>,
}

impl Newcomer {
    /// What the audit log says of what they do.
    pub(in crate::console) fn entry<'a>(
        &self,
        actor: &'a str,
        visit: &'a Visit,
        act: Act,
    ) -> Entry<'a> {
        Entry {
            account_id: self.account_id.map(|id| id.0),
            subject_id: Some(self.id),
            ..Entry::by(actor, &visit.request_id, act)
        }
    }

    /// How the audit log names them.
    pub(in crate::console) fn actor(&self) -> String {
        people::actor(&self.email, self.account_id)
    }
}

/// What the browser of somebody who has just signed in is to keep.
#[derive(Debug)]
#[must_use]
pub(in crate::console) struct Cookies([HeaderValue; 2]);

impl Cookies {
    /// An answer that has the browser keep them.
    pub(in crate::console) fn along(self, mut response: Response) -> Response {
        for cookie in self.0 {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }
}

/// Begins a session with a new secret, in the transaction of what shows who it is, and gives the cookies. The
/// session that the browser had before ends, whosever it was.
///
/// # Errors
/// If the database does not answer.
pub(in crate::console) async fn begin(
    console: &Console,
    db: &mut PgConnection,
    visit: &Visit,
    newcomer: &Newcomer,
    way: &str,
) -> Result<Cookies, sqlx::Error> {
    if let Some(before) = cookie::read(&visit.headers) {
        store::end(&mut *db, &before).await?;
    }
    let secret = Secret::new(console);
    let session = store::Begun {
        secret: &secret,
        id: console.app.new_id(),
        person_id: newcomer.id,
        at: console.app.now(),
        network: visit.network(console),
        browser: visit.browser(),
    };
    store::begin(&mut *db, session).await?;
    let actor = newcomer.actor();
    let entry = newcomer.entry(&actor, visit, Act::PersonSignedIn);
    audit::note(&mut *db, &entry.with("way", way)).await?;
    let device = device::keep(console, db, visit, newcomer.id).await?;
    Ok(Cookies([cookie::keep(&visit.headers, &secret), device]))
}
