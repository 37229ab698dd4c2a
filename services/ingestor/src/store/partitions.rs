//! The partitions of `api_token_usage`. Each call is a transaction of its own with a lock timeout:
//! upkeep gives way to traffic and tries again later.

use chrono::NaiveDate;
use sqlx::{Connection, PgConnection};

/// The days that have a partition.
pub(crate) async fn list(connection: &mut PgConnection) -> Result<Vec<NaiveDate>, sqlx::Error> {
    let days = sqlx::query_scalar!(r#"select day as "day!" from usage_partitions order by day"#)
        .fetch_all(connection)
        .await?;
    Ok(days)
}

/// Makes the partition of one day. Returns whether it was missing.
pub(crate) async fn create(
    connection: &mut PgConnection,
    day: NaiveDate,
) -> Result<bool, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    limit_lock_wait(&mut transaction).await?;
    let made = sqlx::query_scalar!(r#"select usage_partition_create($1) as "made!""#, day)
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(made)
}

/// Drops the partition of one day. Returns whether it was there.
pub(crate) async fn drop(
    connection: &mut PgConnection,
    day: NaiveDate,
) -> Result<bool, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    limit_lock_wait(&mut transaction).await?;
    let dropped = sqlx::query_scalar!(r#"select usage_partition_drop($1) as "dropped!""#, day)
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(dropped)
}

async fn limit_lock_wait(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select set_config('lock_timeout', '2s', true)")
        .fetch_one(connection)
        .await?;
    Ok(())
}
