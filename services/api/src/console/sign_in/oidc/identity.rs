//! Whom an identity of the provider stands for here.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tollkeeper_domain::account::{Identity, Lifecycle};
use tollkeeper_read_model::accounts;
use tollkeeper_read_model::audit::{self, Act};
use tollkeeper_read_model::people::{self, Email, NewPerson};

use super::claims::Claims;
use super::provider::Provider;
use crate::console::Console;
use crate::console::session::{Newcomer, Visit};

/// Somebody, and whether they may sign in.
struct Found {
    newcomer: Newcomer,
    is_disabled: bool,
}

/// The person, in the transaction of their sign-in: the one that the identity was linked to; else the one with
/// the address that the provider vouches for, who is linked then; else, where it is the identity of an
/// account, a new one who holds that. None if there is nobody, or they may not sign in.
pub(super) async fn person(
    console: &Console,
    db: &mut PgConnection,
    visit: &Visit,
    provider: &Provider,
    claims: &Claims,
) -> Result<Option<Newcomer>, sqlx::Error> {
    let identity = Identity {
        issuer: provider.issuer().to_owned(),
        subject: claims.sub.clone(),
    };
    if let Some(found) = linked(db, &identity).await? {
        return Ok((!found.is_disabled).then_some(found.newcomer));
    }
    let email = claims
        .verified_email()
        .and_then(|it| it.parse::<Email>().ok());
    let Some(email) = email else { return Ok(None) };
    let found = match people::find_by_email(&mut *db, &email).await? {
        Some(person) if person.disabled_at.is_some() => None,
        Some(person) => Some(Newcomer {
            id: person.id,
            email: person.email,
            account_id: person.account_id,
        }),
        None => holder(console, db, visit, &identity, &email).await?,
    };
    let Some(newcomer) = found else {
        return Ok(None);
    };
    if !link(db, &newcomer, &identity, console.app.now()).await? {
        // They have another identity of this provider: the address went to somebody else there. Or they were
        // linked in another tab just now.
        let found = linked(db, &identity).await?;
        let same = found.filter(|it| it.newcomer.id == newcomer.id && !it.is_disabled);
        return Ok(same.map(|it| it.newcomer));
    }
    let actor = newcomer.actor();
    let entry = newcomer.entry(&actor, visit, Act::PersonLinked);
    audit::note(&mut *db, &entry.with("issuer", provider.issuer())).await?;
    Ok(Some(newcomer))
}

async fn linked(db: &mut PgConnection, identity: &Identity) -> Result<Option<Found>, sqlx::Error> {
    let row = sqlx::query!(
        "select p.id, p.email, p.account_id, p.disabled_at
        from console_identities as i join console_people as p on p.id = i.person_id
        where i.issuer = $1 and i.subject = $2",
        identity.issuer,
        identity.subject,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Found {
        newcomer: Newcomer {
            id: row.id,
            email: row.email,
            account_id: row.account_id.map(Into::into),
        },
        is_disabled: row.disabled_at.is_some(),
    }))
}

/// Adds somebody for the account that the provider knows by this identity, as account holders with a JWT are
/// known.
async fn holder(
    console: &Console,
    db: &mut PgConnection,
    visit: &Visit,
    identity: &Identity,
    email: &Email,
) -> Result<Option<Newcomer>, sqlx::Error> {
    let account = accounts::find_by_identity(&mut *db, identity).await?;
    let account = account.map(|row| row.account);
    let Some(account) = account.filter(|it| it.lifecycle == Lifecycle::Active) else {
        return Ok(None);
    };
    let newcomer = Newcomer {
        id: console.app.new_id(),
        email: email.as_str().to_owned(),
        account_id: Some(account.id),
    };
    let person = NewPerson {
        id: newcomer.id,
        email,
        account_id: newcomer.account_id,
        at: console.app.now(),
    };
    if !people::add(&mut *db, person).await? {
        return Ok(None);
    }
    let actor = newcomer.actor();
    let entry = newcomer.entry(&actor, visit, Act::PersonAdded);
    audit::note(&mut *db, &entry.with("way", "oidc")).await?;
    Ok(Some(newcomer))
}

/// Links the identity, and tells whether neither it nor the person had a link of this issuer.
async fn link(
    db: &mut PgConnection,
    newcomer: &Newcomer,
    identity: &Identity,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into console_identities (issuer, subject, person_id, created_at)
        values ($1, $2, $3, $4) on conflict do nothing",
        identity.issuer,
        identity.subject,
        newcomer.id,
        now,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
