//! The table `console_sessions`.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use tollkeeper_domain::ids::AccountId;
use uuid::Uuid;

use super::{IDLE, Person, Role, Secret};

/// That it was used is noted no more often than this.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// A session that goes on.
#[derive(Debug)]
pub(super) struct Found {
    /// The session.
    pub(super) id: Uuid,
    /// Whose it is.
    pub(super) person: Person,
}

/// The session with this secret, if it goes on, and notes that it is used.
///
/// # Errors
/// If the database does not answer.
pub(super) async fn find(
    db: &PgPool,
    secret: &Secret,
    now: DateTime<Utc>,
) -> Result<Option<Found>, sqlx::Error> {
    let hash = secret.hash();
    let row = sqlx::query!(
        "select s.id, s.seen_at, p.id as person_id, p.email, p.account_id
        from console_sessions as s join console_people as p on p.id = s.person_id
        where s.secret_hash = $1 and s.expires_at > $2 and s.seen_at > $3
            and p.disabled_at is null",
        &hash[..],
        now,
        now - IDLE,
    )
    .fetch_optional(db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if now - row.seen_at >= NOTED_EVERY {
        sqlx::query!(
            "update console_sessions set seen_at = $2 where secret_hash = $1 and seen_at < $2",
            &hash[..],
            now,
        )
        .execute(db)
        .await?;
    }
    let role = match row.account_id {
        Some(id) => Role::User(AccountId(id)),
        None => Role::Operator,
    };
    Ok(Some(Found {
        id: row.id,
        person: Person {
            id: row.person_id,
            email: row.email,
            role,
        },
    }))
}
