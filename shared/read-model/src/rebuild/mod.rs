//! Makes the projected tables anew from the log, beside the live ones, and compares the two; a
//! rebuild then replaces what differs. Both work while others write.
//!
//! All of it happens in one session, which must not be shared: the new tables are temporary. The log
//! is folded by the code that commands use, the rows are made by the code that projects, and the
//! chain of hashes is checked on the way, so nothing is ever rebuilt from a log that is not whole.

mod staging;

use serde::Serialize;
use sqlx::{Connection, PgConnection};
use staging::Staging;
use tollkeeper_event_store::{AuditError, Head};
use uuid::Uuid;

use crate::audit::Act;
use crate::replay::ReplayError;

/// The most differences that a report names one by one.
const MOST_NAMED: i32 = 100;

/// Held by the session of the one rebuild that may be under way in a database.
const LOCK: i64 = 0x746f_6c6c_7265_6275;

/// How often a replacement is tried again because something happened to what was to be replaced.
const ATTEMPTS: usize = 100;

/// What the comparison of one table came to, in rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// The table.
    pub table: String,
    /// How many it should have.
    pub rows: i64,
    /// How many of them it has not.
    pub missing: i64,
    /// How many it has besides.
    pub extra: i64,
    /// How many are not as they should be.
    pub different: i64,
}

/// A row that is not what the log says it should be. Its values are not told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// The account or token; of a secret, the token.
    pub id: Uuid,
    /// `missing`, `extra` or `different`.
    pub kind: String,
    /// The columns that differ, where the row is there on both sides.
    pub columns: Vec<String>,
}

/// How the live tables compare with the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The end of the log that they were compared with.
    pub head: Head,
    /// What each table came to.
    pub tables: Vec<TableReport>,
    /// The first differences.
    pub differences: Vec<Difference>,
}

impl Report {
    /// How many rows differ.
    #[must_use]
    pub fn differing(&self) -> i64 {
        let tables = self.tables.iter();
        tables.map(|it| it.missing + it.extra + it.different).sum()
    }
}

/// Why the tables cannot be compared or replaced. They are as they were.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The database did not answer, or refused.
    #[error("the projections cannot be rebuilt: {0}")]
    Database(#[from] sqlx::Error),
    /// The log cannot be read, or its chain is broken.
    #[error(transparent)]
    Log(#[from] AuditError),
    /// The log cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// Another session rebuilds.
    #[error("another rebuild is under way in this database")]
    UnderWay,
    /// Those who write did not let the rows be replaced.
    #[error("the rows that differ could not be locked or keep changing: try again")]
    Busy,
}

/// Compares the live tables with what the log says, in one snapshot of both.
///
/// # Errors
/// [`RebuildError`] if either cannot be read or the log is not whole.
pub async fn verify(db: &mut PgConnection) -> Result<Report, RebuildError> {
    let (staging, report) = compare(db).await?;
    staging.remove(db).await?;
    Ok(report)
}

/// Compares as [`verify`] does, and replaces all rows that differ in one transaction. Whoever holds
/// such rows in memory is told to forget them by the generation in the head of the log.
///
/// What the report says has then been put right.
///
/// # Errors
/// As [`verify`], and [`RebuildError::UnderWay`] or [`RebuildError::Busy`].
pub async fn rebuild(db: &mut PgConnection) -> Result<Report, RebuildError> {
    let locked = sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "locked!""#, LOCK)
        .fetch_one(&mut *db)
        .await?;
    if !locked {
        return Err(RebuildError::UnderWay);
    }
    let done = replace(db).await;
    let unlocked = sqlx::query_scalar!(r#"select pg_advisory_unlock($1) as "unlocked!""#, LOCK)
        .fetch_one(db)
        .await;
    // A session that cannot be reached has lost its lock.
    done.and_then(|report| Ok(unlocked.map(|_| report)?))
}

async fn replace(db: &mut PgConnection) -> Result<Report, RebuildError> {
    let (mut staging, report) = compare(db).await?;
    if report.differing() > 0 {
        for attempt in 1.. {
            let replaced = replace_once(db, staging.at.position, report.differing()).await;
            if replaced.map_err(locked_out)? {
                break;
            }
            if attempt == ATTEMPTS {
                return Err(RebuildError::Busy);
            }
            staging.catch_up(db).await?;
        }
    }
    staging.remove(db).await?;
    Ok(report)
}

/// Replaces the rows, if nothing has happened to them meanwhile, and has the audit log say so. One
/// statement, so that no client holds the head while it thinks.
async fn replace_once(
    db: &mut PgConnection,
    position: i64,
    differing: i64,
) -> Result<bool, sqlx::Error> {
    let act = Act::ProjectionsRebuilt;
    sqlx::query_scalar!(
        r#"with replaced as materialized (
            select rebuild_replace($1) as done
        ), noted as (
            insert into audit_entries (actor, action, subject_type, details)
            select 'database:' || session_user, $2, $3,
                jsonb_build_object('position', $1::bigint, 'rows', $4::bigint)
            from replaced where done
        )
        select done as "done!" from replaced"#,
        position,
        act.name(),
        act.subject(),
        differing,
    )
    .fetch_one(db)
    .await
}

/// A lock that was not to be had in time is no fault of the database.
fn locked_out(error: sqlx::Error) -> RebuildError {
    let code = error.as_database_error().and_then(|inside| inside.code());
    if code.as_deref() == Some("55P03") {
        RebuildError::Busy
    } else {
        error.into()
    }
}

async fn compare(db: &mut PgConnection) -> Result<(Staging, Report), RebuildError> {
    let mut staging = Staging::fill(db).await?;
    let mut snapshot = db
        .begin_with("begin isolation level repeatable read")
        .await?;
    staging.catch_up(&mut snapshot).await?;
    sqlx::query!(r#"select rebuild_compare() as "done: ()""#)
        .fetch_one(&mut *snapshot)
        .await?;
    let tables = sqlx::query_as!(
        TableReport,
        r#"select "table" as "table!", "rows" as "rows!", missing as "missing!",
            extra as "extra!", different as "different!"
        from rebuild_counts()"#,
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let differences = sqlx::query_as!(
        Difference,
        r#"select "table" as "table!", id as "id!", kind as "kind!", columns as "columns!"
        from rebuild_first_differences($1)"#,
        MOST_NAMED,
    )
    .fetch_all(&mut *snapshot)
    .await?;
    snapshot.commit().await?;
    let report = Report {
        head: staging.at,
        tables,
        differences,
    };
    Ok((staging, report))
}
