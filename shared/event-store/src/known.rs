//! Which of some events are in the log.

use std::collections::HashSet;

use sqlx::PgExecutor;
use uuid::Uuid;

use crate::stored::ReadError;

/// Those of these events, told by their ids, that are in the log.
///
/// # Errors
/// [`ReadError`] if the database does not answer.
pub async fn known(db: impl PgExecutor<'_>, ids: &[Uuid]) -> Result<HashSet<Uuid>, ReadError> {
    let known = sqlx::query_scalar!("select event_id from events where event_id = any ($1)", ids)
        .fetch_all(db)
        .await?;
    Ok(known.into_iter().collect())
}
