//! `api_token_usage_daily`: usage by UTC day, for long ranges.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::rollups::{Columns, MOST_REMOVED};
use crate::tally::Rollup;

/// Adds to the rows of these keys, which are sorted and distinct.
pub(crate) async fn add(
    connection: &mut PgConnection,
    days: &Rollup<'_>,
) -> Result<(), sqlx::Error> {
    let rows = Columns::of(days);
    sqlx::query!(
        "insert into api_token_usage_daily as daily
           (token_id, bucket, endpoint, method, status_class, requests, errors, latency)
         select token_id, bucket, endpoint, method, status_class, requests, errors,
                ($8::bigint[])[(place - 1) * 24 + 1 : place * 24]
         from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::smallint[],
                     $6::bigint[], $7::bigint[]) with ordinality
           as added (token_id, bucket, endpoint, method, status_class, requests, errors, place)
         on conflict (token_id, bucket, endpoint, method, status_class) do update
         set requests = daily.requests + excluded.requests,
             errors = daily.errors + excluded.errors,
             latency = usage_histogram_add(daily.latency, excluded.latency)",
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

/// Removes days before `first_kept`, some of them at a time. Returns how many rows went.
pub(crate) async fn remove_old(
    connection: &mut PgConnection,
    first_kept: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    // Rows that somebody counts on at this moment are for the next time.
    let removed = sqlx::query!(
        "delete from api_token_usage_daily
         where ctid = any (array(
            select ctid from api_token_usage_daily where bucket < $1
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
