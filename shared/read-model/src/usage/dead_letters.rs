//! `usage_dead_letters`: what could not be counted, for people to look at and to have tried again. The
//! ingestor puts letters there and takes them out.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::audit::Act;

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
#[derive(Debug, Clone, Default)]
pub struct Letters {
    /// These.
    pub ids: Option<Vec<i64>>,
    /// With this reason.
    pub reason: Option<String>,
    /// Of this source.
    pub source: Option<Uuid>,
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
        r#"select id, received_at, reason, detail, kind, source, first, last,
            octet_length(payload) as "bytes!", replay_asked_at, replay_failure
        from usage_dead_letters
        where ($1::bigint[] is null or id = any($1)) and ($2::text is null or reason = $2)
            and ($3::uuid is null or source = $3)
        order by id desc limit $4"#,
        letters.ids.as_deref(),
        letters.reason,
        letters.source,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Asks the ingestors to try letters again, and tells which. Where there are any, the audit log says so.
///
/// # Errors
/// If the database does not answer.
pub async fn ask_for_replay(
    db: impl PgExecutor<'_>,
    letters: &Letters,
) -> Result<Vec<i64>, sqlx::Error> {
    let act = Act::DeadLettersReplayed;
    sqlx::query_scalar!(
        r#"with asked as (
            update usage_dead_letters set replay_asked_at = now(), replay_failure = null
            where ($1::bigint[] is null or id = any($1)) and ($2::text is null or reason = $2)
                and ($3::uuid is null or source = $3)
            returning id
        ), noted as (
            insert into audit_entries (actor, action, subject_type, details)
            select 'database:' || session_user, $4, $5, jsonb_build_object('letters', count(*))
            from asked having count(*) > 0
        )
        select id as "id!" from asked"#,
        letters.ids.as_deref(),
        letters.reason,
        letters.source,
        act.name(),
        act.subject(),
    )
    .fetch_all(db)
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
