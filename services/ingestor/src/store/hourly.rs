//! `api_token_usage_hourly`: usage by hour.

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use sqlx::PgConnection;
use uuid::Uuid;

use super::rollups::{Columns, MOST_REMOVED};
use super::time;
use crate::endpoints::TokenHour;
use crate::tally::Rollup;

/// Adds to the rows of these keys, which are sorted and distinct.
pub(crate) async fn add(
    connection: &mut PgConnection,
    hours: &Rollup<'_>,
) -> Result<(), sqlx::Error> {
    let rows = Columns::of(hours);
    sqlx::query!(
        "insert into api_token_usage_hourly as hourly
           (token_id, bucket, endpoint, method, status_class, requests, errors, latency)
         select token_id, bucket, endpoint, method, status_class, requests, errors,
                ($8::bigint[])[(place - 1) * 24 + 1 : place * 24]
         from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::smallint[],
                     $6::bigint[], $7::bigint[]) with ordinality
           as added (token_id, bucket, endpoint, method, status_class, requests, errors, place)
         on conflict (token_id, bucket, endpoint, method, status_class) do update
         set requests = hourly.requests + excluded.requests,
             errors = hourly.errors + excluded.errors,
             latency = usage_histogram_add(hourly.latency, excluded.latency)",
        &rows.token_ids,
        &rows.buckets,
        &rows.endpoints as _,
        &rows.methods as _,
        &rows.classes,
        &rows.requests,
        &rows.errors,
        &rows.latencies,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Shows `visit` each endpoint template that these token hours have. One at a time, as all of them
/// may be more than fits in memory.
pub(crate) async fn endpoints(
    connection: &mut PgConnection,
    hours: &[TokenHour],
    mut visit: impl FnMut(TokenHour, &str),
) -> Result<(), sqlx::Error> {
    let (token_ids, buckets): (Vec<Uuid>, Vec<DateTime<Utc>>) = hours
        .iter()
        .map(|&(token, hour)| (token, time(hour)))
        .unzip();
    let mut rows = sqlx::query!(
        "select distinct hourly.token_id, hourly.bucket, hourly.endpoint
         from unnest($1::uuid[], $2::timestamptz[]) as wanted (token_id, bucket)
         join api_token_usage_hourly hourly
           on hourly.token_id = wanted.token_id and hourly.bucket = wanted.bucket",
        &token_ids,
        &buckets,
    )
    .fetch(connection);
    while let Some(row) = rows.try_next().await? {
        visit((row.token_id, row.bucket.timestamp_micros()), &row.endpoint);
    }
    Ok(())
}

/// Removes hours before `first_kept`, some of them at a time. Returns how many rows went.
pub(crate) async fn remove_old(
    connection: &mut PgConnection,
    first_kept: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    // Rows that somebody counts on at this moment are for the next time.
    let removed = sqlx::query!(
        "delete from api_token_usage_hourly
         where ctid = any (array(
            select ctid from api_token_usage_hourly where bucket < $1
            limit $2
            for update skip locked
         ))",
        first_kept,
        MOST_REMOVED as i64,
    )
    .execute(connection)
    .await?;
    Ok(removed.rows_affected())
}
