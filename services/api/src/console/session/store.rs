//! The table `console_sessions`.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgExecutor, PgPool};
use tollkeeper_domain::ids::AccountId;
use uuid::Uuid;

use super::{IDLE, LONGEST, Person, Role, Secret};

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

/// A session that begins.
#[derive(Debug)]
pub(super) struct Begun<'a> {
    /// What the browser is given.
    pub(super) secret: &'a Secret,
    /// Names it where it is shown.
    pub(super) id: Uuid,
    /// Whose it is.
    pub(super) person_id: Uuid,
    /// When.
    pub(super) at: DateTime<Utc>,
    /// Where, as far as addresses are kept.
    pub(super) network: Option<String>,
    /// By what browser.
    pub(super) browser: String,
}

/// Adds a session.
///
/// # Errors
/// If the database does not answer.
pub(super) async fn begin(db: impl PgExecutor<'_>, session: Begun<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into console_sessions (
            secret_hash, id, person_id, created_at, seen_at, expires_at, network, browser
        ) values ($1, $2, $3, $4, $4, $5, $6, $7)",
        &session.secret.hash()[..],
        session.id,
        session.person_id,
        session.at,
        session.at + LONGEST,
        session.network,
        session.browser,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the session with this secret, if there is one.
///
/// # Errors
/// If the database does not answer.
pub(super) async fn end(db: impl PgExecutor<'_>, secret: &Secret) -> Result<(), sqlx::Error> {
    let hash = secret.hash();
    sqlx::query!(
        "delete from console_sessions where secret_hash = $1",
        &hash[..]
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends a session of this person, and tells whether there was such a one.
///
/// # Errors
/// If the database does not answer.
pub(in crate::console) async fn end_one(
    db: impl PgExecutor<'_>,
    person_id: Uuid,
    id: Uuid,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "delete from console_sessions where person_id = $1 and id = $2",
        person_id,
        id,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends all sessions of this person.
///
/// # Errors
/// If the database does not answer.
pub(in crate::console) async fn end_all(
    db: impl PgExecutor<'_>,
    person_id: Uuid,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from console_sessions where person_id = $1",
        person_id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// A session, as whoever it belongs to sees it.
#[derive(Debug)]
pub(in crate::console) struct Listed {
    /// Names it.
    pub(in crate::console) id: Uuid,
    /// When it began.
    pub(in crate::console) created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub(in crate::console) seen_at: DateTime<Utc>,
    /// When it ends at the latest.
    pub(in crate::console) expires_at: DateTime<Utc>,
    /// Where it was begun, as far as addresses are kept.
    pub(in crate::console) network: Option<String>,
    /// By what browser.
    pub(in crate::console) browser: String,
}

/// The sessions of this person that go on, the last used first.
///
/// # Errors
/// If the database does not answer.
pub(in crate::console) async fn list(
    db: impl PgExecutor<'_>,
    person_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Listed>, sqlx::Error> {
    sqlx::query_as!(
        Listed,
        "select id, created_at, seen_at, expires_at, network, browser from console_sessions
        where person_id = $1 and expires_at > $2 and seen_at > $3 order by seen_at desc, id",
        person_id,
        now,
        now - IDLE,
    )
    .fetch_all(db)
    .await
}

/// Forgets at most `most` sessions that are over, and tells how many.
///
/// # Errors
/// If the database does not answer.
pub(in crate::console) async fn forget(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    most: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from console_sessions where secret_hash in (
            select secret_hash from console_sessions
            where expires_at <= $1 or seen_at <= $2 limit $3
        )",
        now,
        now - IDLE,
        most,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
