//! The audit log: who did what, and who was refused what.
//!
//! What changed a token or an account is read from the event log, which is the truth, and is copied
//! nowhere. What left no event has an entry in `audit_entries`, and attempts that were refused are summed
//! up in `audit_refusals`. [`list()`] reads all three as one.

mod cells;
mod entries;
mod list;
mod refusals;

pub use cells::{COLUMNS, cells, text};
pub use entries::{Act, Entry, note};
pub use list::{AuditFilter, AuditRow, Outcome, Place, Source, list, plan};
pub use refusals::{Refusal, write};

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

/// Removes at most `most` of the entries and refusals of before `moment`, and tells how many that were.
/// Events stay: the log is the truth.
///
/// # Errors
/// If the database does not answer, or `moment` is less than 30 days ago.
pub async fn forget(
    db: impl PgExecutor<'_>,
    moment: DateTime<Utc>,
    most: i32,
) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar!(r#"select audit_forget($1, $2) as "gone!""#, moment, most)
        .fetch_one(db)
        .await
}
