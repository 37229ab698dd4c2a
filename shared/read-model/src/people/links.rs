//! `console_links`: links by which somebody sets a password, once. The secret is in the link alone.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgExecutor;
use uuid::Uuid;

/// How long a link works.
pub const LINK_LIFETIME: TimeDelta = TimeDelta::hours(24);

/// What is secret of a link.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkSecret([u8; 32]);

impl LinkSecret {
    /// A new one, out of unpredictable bytes.
    pub fn generate(fill: impl FnOnce(&mut [u8])) -> Self {
        let mut bytes = [0; 32];
        fill(&mut bytes);
        Self(bytes)
    }

    /// Reads it from a link; none if it is of another form.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// The path of the link, for the one who is to have it.
    #[must_use]
    pub fn expose_path(&self) -> String {
        format!("/console/password/{}", URL_SAFE_NO_PAD.encode(self.0))
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSecret(..)")
    }
}

/// A link that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Whose it is.
    pub person_id: Uuid,
    /// Their address.
    pub email: String,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// Makes this the one link of a person: any that they had before is over.
///
/// # Errors
/// If the database does not answer.
pub async fn issue_link(
    db: impl PgExecutor<'_>,
    person_id: Uuid,
    secret: &LinkSecret,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into console_links (secret_hash, person_id, created_at, expires_at)
        values ($1, $2, $3, $4)
        on conflict (person_id) do update set secret_hash = excluded.secret_hash,
            created_at = excluded.created_at, expires_at = excluded.expires_at",
        &secret.hash()[..],
        person_id,
        now,
        now + LINK_LIFETIME,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The link with this secret, if it works at `now`.
///
/// # Errors
/// If the database does not answer.
pub async fn owner_of_link(
    db: impl PgExecutor<'_>,
    secret: &LinkSecret,
    now: DateTime<Utc>,
) -> Result<Option<Link>, sqlx::Error> {
    sqlx::query_as!(
        Link,
        "select l.person_id, p.email, l.expires_at
        from console_links as l join console_people as p on p.id = l.person_id
        where l.secret_hash = $1 and l.expires_at > $2 and p.disabled_at is null",
        &secret.hash()[..],
        now,
    )
    .fetch_optional(db)
    .await
}

/// Uses a link up, and tells whose it was. Of those who use it at once one is told. To be called in the
/// transaction of what it is used for.
///
/// # Errors
/// If the database does not answer.
pub async fn spend_link(
    db: impl PgExecutor<'_>,
    secret: &LinkSecret,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "delete from console_links where secret_hash = $1 and expires_at > $2 returning person_id",
        &secret.hash()[..],
        now,
    )
    .fetch_optional(db)
    .await
}

/// Forgets the links that are over: there is one a person at most.
///
/// # Errors
/// If the database does not answer.
pub async fn forget_links(db: impl PgExecutor<'_>, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!("delete from console_links where expires_at <= $1", now)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_holds_its_secret_and_debug_output_does_not() {
        let secret = LinkSecret::generate(|bytes| bytes.fill(7));
        let path = secret.expose_path();
        let text = path.strip_prefix("/console/password/").unwrap();
        assert!(LinkSecret::read(text) == Some(secret.clone()));
        assert_eq!(format!("{secret:?}"), "LinkSecret(..)");
        for other in ["", "short", &"A".repeat(44)] {
            assert!(LinkSecret::read(other).is_none(), "{other}");
        }
    }
}
