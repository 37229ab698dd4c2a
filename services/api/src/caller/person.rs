//! Somebody who is signed in to the console, as a caller.

use tollkeeper_domain::account::{Identity, Lifecycle};
use tollkeeper_domain::authority::Authority;
use tollkeeper_read_model::{Reach, accounts};

use super::{Caller, must_be_active};
use crate::app::App;
use crate::console::session::{Person, Role};
use crate::http::client::Sender;
use crate::http::problem::Problem;

/// Who issues the identities of people who sign in here.
const ISSUER: &str = "urn:tollkeeper:console";

/// What somebody who is signed in may do: the same as with an operator key, or as the holder of the account.
pub(super) async fn caller(app: &App, person: &Person, sender: &Sender) -> Result<Caller, Problem> {
    let id = match person.role {
        Role::Operator => {
            sender.holder.is_operator(&person.email);
            return Ok(Caller::Operator {
                name: person.email.clone(),
            });
        }
        Role::User(id) => id,
    };
    sender.holder.is_account(id);
    let found = accounts::find(&app.pool, Reach::Account(id), id).await?;
    let account = found.map(|row| row.account);
    let lifecycle = account.as_ref().map(|account| account.lifecycle);
    must_be_active(lifecycle.unwrap_or(Lifecycle::Deleted))?;
    Ok(Caller::Account {
        account_id: Some(id),
        authority: Authority::Account {
            granted: None,
            role: account.map(|account| account.role).unwrap_or_default(),
        },
        identity: Identity {
            issuer: ISSUER.to_owned(),
            subject: person.id.to_string(),
        },
    })
}
