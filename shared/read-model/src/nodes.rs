//! `nodes`: who answers from memory, and how far each has applied the log. The nodes write their rows
//! themselves, in the statement by which they look at the log's head.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

/// A node as it was at its last report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// New at each start.
    pub id: Uuid,
    /// The name of its machine.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// When it was first heard of.
    pub registered_at: DateTime<Utc>,
    /// Who registered it over the API, as events name an actor; `None` for one that has the database.
    pub registered_by: Option<String>,
    /// Up to where it has applied the log; `None` where it knows nothing yet.
    pub position: Option<i64>,
    /// When it was last heard of.
    pub reported_at: DateTime<Utc>,
    /// Until when it may answer without reporting again; `None` for as long as it runs.
    pub valid_until: Option<DateTime<Utc>>,
    /// Whether that time is not over.
    pub may_answer: bool,
}

/// All nodes that are remembered, by name.
///
/// # Errors
/// If the database does not answer.
pub async fn all(db: impl PgExecutor<'_>) -> Result<Vec<NodeRow>, sqlx::Error> {
    sqlx::query_as!(
        NodeRow,
        r#"select id, name, version, registered_at, registered_by, position, reported_at,
            valid_until, (valid_until is null or valid_until > clock_timestamp()) as "may_answer!"
        from nodes order by name, registered_at, id"#,
    )
    .fetch_all(db)
    .await
}

/// Forgets a node, and tells whether it was known. One that goes on is known again by its next
/// report.
///
/// # Errors
/// If the database does not answer.
pub async fn forget(db: impl PgExecutor<'_>, id: Uuid) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("delete from nodes where id = $1", id)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}
