//! `usage_reports`: calls that were reported to the API and are not counted; and `usage_report_ids`, by
//! which a call that is reported again is known.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// The most ids that one statement removes.
pub(crate) const MOST_REMOVED: u64 = 10_000;

/// Takes out at most `limit` reports, the oldest first, and none that another ingestor is about to count.
/// Gives their records. They are gone when the transaction is committed that counts them.
pub(crate) async fn take(
    connection: &mut PgConnection,
    limit: i64,
) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!(
        "delete from usage_reports where id = any (array(
            select id from usage_reports order by id limit $1 for update skip locked
        )) returning record",
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Since when the report waits that has waited longest.
pub(crate) async fn waiting_since(
    connection: &mut PgConnection,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select received_at from usage_reports order by id limit 1")
        .fetch_optional(connection)
        .await
}

/// Removes ids of reports that arrived before this, some of them at a time. Returns how many went.
pub(crate) async fn remove_old_ids(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let removed = sqlx::query!(
        "delete from usage_report_ids as known
         using (
            select account_id, client_id from usage_report_ids where received_at < $1
            limit $2
            for update skip locked
         ) as old
         where known.account_id = old.account_id and known.client_id = old.client_id",
        before,
        MOST_REMOVED as i64,
    )
    .execute(connection)
    .await?;
    Ok(removed.rows_affected())
}
