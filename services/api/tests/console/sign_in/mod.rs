//! The ways into the console, and out of it.

mod audited;
mod devices;
mod guest;
mod in_a_browser;
mod links;
mod oidc;
mod passwords;
mod people;
mod sessions;
mod throttle;
mod upkeep;

use guest::Guest;
use tollkeeper_ambient::{Clock, Entropy, SystemClock, SystemEntropy};
use tollkeeper_read_model::people::{Email, LinkSecret, NewPerson, add, issue_link};
use uuid::Uuid;

use crate::support::Site;

/// A password that nobody guesses first.
const PASSWORD: &str = "four blue tulips";

/// Another one.
const OTHER: &str = "nine grey herons";

/// Somebody who may sign in; gives the path of the link by which they set a password.
async fn invited(site: &Site, email: &str, account: Option<Uuid>) -> String {
    let now = SystemClock.now();
    let email: Email = email.parse().unwrap();
    let person = NewPerson {
        id: SystemEntropy.uuid_v7(now),
        email: &email,
        account_id: account.map(Into::into),
        at: now,
    };
    assert!(add(&site.pool, person).await.unwrap());
    let secret = LinkSecret::generate(|bytes| SystemEntropy.fill(bytes));
    let issued = issue_link(&site.pool, person.id, &secret, now);
    issued.await.unwrap();
    secret.expose_path()
}

/// Somebody who has followed their link, and is signed in.
async fn member(site: &Site, email: &str, account: Option<Uuid>) -> Guest {
    let link = invited(site, email, account).await;
    let guest = Guest::of(site);
    let set = guest.choose(&link, PASSWORD).await;
    assert_eq!(
        (set.status, set.location()),
        (303, "/console"),
        "{}",
        set.text
    );
    guest
}

/// Changes something that only the owner of the tables can.
async fn sql(site: &Site, statement: &'static str) -> u64 {
    let done = sqlx::raw_sql(statement).execute(&site.pool).await;
    done.unwrap().rows_affected()
}
