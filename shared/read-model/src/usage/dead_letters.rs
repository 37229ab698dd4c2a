//! `usage_dead_letter_list`: what could not be counted, for people to look at and to have tried again. The
//! ingestor puts letters there and takes them out.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::audit::{Act, Entry};

/// A dead letter, without what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterRow {
    /// Its number; they rise.
    pub id: i64,
    /// When it was put there.
    pub received_at: DateTime<Utc>,
    /// `undecodable`, `refused` or `overlap`.
    pub reason: String,
    /// What was wrong, for people.
    pub detail: String,
    /// `message` or `record`.
    pub kind: String,
    /// Whose it is, where it said so.
    pub source: Option<Uuid>,
    /// The first number it stands for.
    pub first: Option<i64>,
    /// The last.
    pub last: Option<i64>,
    /// How many bytes it holds.
    pub bytes: i32,
    /// Since when it is to be tried again.
    pub replay_asked_at: Option<DateTime<Utc>>,
    /// Why the last try failed.
    pub replay_failure: Option<String>,
}

/// Which letters are meant. All that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letters {
    /// These.
    pub ids: Option<Vec<i64>>,
    /// With this reason.
    pub reason: Option<String>,
    /// Of this source.
    pub source: Option<Uuid>,
    /// Put there before this one.
    pub before: Option<i64>,
}

/// At most `limit` letters, from the newest to the oldest.
///
/// # Errors
/// If the database does not answer.
pub async fn list(
    db: impl PgExecutor<'_>,
    letters: &Letters,
    limit: i64,
) -> Result<Vec<LetterRow>, sqlx::Error> {
    sqlx::query_as!(
        LetterRow,
        r#"select id as "id!", received_at as "received_at!", reason as "reason!",
            detail as "detail!", kind as "kind!", source, first, last, bytes as "bytes!",
            replay_asked_at, replay_failure
        from usage_dead_letter_list
        where ($1::bigint[] is null or id = any($1)) and ($2::text is null or reason = $2)
            and ($3::uuid is null or source = $3) and ($4::bigint is null or id < $4)
        order by id desc limit $5"#,
        letters.ids.as_deref(),
        letters.reason,
        letters.source,
        letters.before,
        limit,
    )
    .fetch_all(db)
    .await
}

/// The letter of this number, if it is there.
///
/// # Errors
/// If the database does not answer.
pub async fn find(db: impl PgExecutor<'_>, id: i64) -> Result<Option<LetterRow>, sqlx::Error> {
    let letters = Letters {
        ids: Some(vec![id]),
        ..Letters::default()
    };
    Ok(list(db, &letters, 1).await?.pop())
}

/// What is to be tried again, and that it is, in the words of the audit log.
#[must_use]
pub fn replay_by<'a>(actor: &'a str, request_id: &'a str) -> Entry<'a> {
    Entry::by(actor, request_id, Act::DeadLettersReplayed)
}

/// The same, by whoever is logged into the database.
#[must_use]
pub fn replay_by_login() -> Entry<'static> {
    Entry::by_login(Act::DeadLettersReplayed)
}

/// Asks the ingestors to try letters again, at most so many, those first that wait longest and that nobody
/// has asked for, and tells which. What is asked for already stays so and costs nothing. Where letters are
/// newly asked for, the audit log says so, as in `by`.
///
/// # Errors
/// If the database does not answer.
pub async fn ask_for_replay(
    db: impl PgExecutor<'_>,
    letters: &Letters,
    most: i64,
    by: &Entry<'_>,
) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"with meant as (
            select id from usage_dead_letter_list
            where ($1::bigint[] is null or id = any($1)) and ($2::text is null or reason = $2)
                and ($3::uuid is null or source = $3) and ($4::bigint is null or id < $4)
            order by replay_asked_at nulls first, id limit $5
        ), asked as (
            update usage_dead_letter_list set replay_asked_at = now(), replay_failure = null
            where id in (select id from meant) and replay_asked_at is null
            returning id
        ), noted as (
            insert into audit_entries (actor, action, subject_type, request_id, details)
            select coalesce($6, 'database:' || session_user), $7, $8, $9,
                jsonb_build_object('letters', count(*))
            from asked having count(*) > 0
        )
        select id as "id!" from meant order by id"#,
        letters.ids.as_deref(),
        letters.reason,
        letters.source,
        letters.before,
        most,
        by.actor,
        by.act.name(),
        by.act.subject(),
        by.request_id,
    )
    .fetch_all(db)
    .await
}

/// Whether there are letters that nobody has asked to try again.
///
/// # Errors
/// If the database does not answer.
pub async fn are_left(db: impl PgExecutor<'_>, letters: &Letters) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists(
            select from usage_dead_letter_list
            where ($1::bigint[] is null or id = any($1)) and ($2::text is null or reason = $2)
                and ($3::uuid is null or source = $3) and ($4::bigint is null or id < $4)
                and replay_asked_at is null
        ) as "left!""#,
        letters.ids.as_deref(),
        letters.reason,
        letters.source,
        letters.before,
    )
    .fetch_one(db)
    .await
}

/// How many letters there are, counted up to `most`.
///
/// # Errors
/// If the database does not answer.
pub async fn waiting(db: impl PgExecutor<'_>, most: i64) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "waiting!"
        from (select from usage_dead_letters limit $1) as letters"#,
        most,
    )
    .fetch_one(db)
    .await
}
