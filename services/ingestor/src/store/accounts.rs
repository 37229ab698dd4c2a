//! `account_usage_hourly` and `account_usage_daily`: usage of whole accounts.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::rollups::{AccountColumns, MOST_REMOVED};
use crate::tally::AccountRollup;

/// Adds to the hours of these keys, which are sorted and distinct.
pub(crate) async fn add_hours(
    connection: &mut PgConnection,
    rows: &AccountRollup<'_>,
) -> Result<(), sqlx::Error> {
    let rows = AccountColumns::of(rows);
    sqlx::query!(
        "insert into account_usage_hourly as hourly
           (account_id, bucket, endpoint, method, status_class, verdict, requests, errors, latency)
         select account_id, bucket, endpoint, method, status_class, verdict, requests, errors,
                ($9::bigint[])[(place - 1) * 24 + 1 : place * 24]
         from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::smallint[],
                     $6::smallint[], $7::bigint[], $8::bigint[]) with ordinality
           as added (account_id, bucket, endpoint, method, status_class, verdict, requests, errors,
                     place)
         on conflict (account_id, bucket, endpoint, method, status_class, verdict) do update
         set requests = hourly.requests + excluded.requests,
             errors = hourly.errors + excluded.errors,
             latency = usage_histogram_add(hourly.latency, excluded.latency)",
        &rows.account_ids,
        &rows.buckets,
        &rows.endpoints as _,
        &rows.methods as _,
        &rows.classes,
        &rows.verdicts,
        &rows.requests,
        &rows.errors,
        &rows.latencies,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds to the days of these keys, which are sorted and distinct.
pub(crate) async fn add_days(
    connection: &mut PgConnection,
    rows: &AccountRollup<'_>,
) -> Result<(), sqlx::Error> {
    let rows = AccountColumns::of(rows);
    sqlx::query!(
        "insert into account_usage_daily as daily
           (account_id, bucket, endpoint, method, status_class, verdict, requests, errors, latency)
         select account_id, bucket, endpoint, method, status_class, verdict, requests, errors,
                ($9::bigint[])[(place - 1) * 24 + 1 : place * 24]
         from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::smallint[],
                     $6::smallint[], $7::bigint[], $8::bigint[]) with ordinality
           as added (account_id, bucket, endpoint, method, status_class, verdict, requests, errors,
                     place)
         on conflict (account_id, bucket, endpoint, method, status_class, verdict) do update
         set requests = daily.requests + excluded.requests,
             errors = daily.errors + excluded.errors,
             latency = usage_histogram_add(daily.latency, excluded.latency)",
        &rows.account_ids,
        &rows.buckets,
        &rows.endpoints as _,
        &rows.methods as _,
        &rows.classes,
        &rows.verdicts,
        &rows.requests,
        &rows.errors,
        &rows.latencies,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes hours before `first_kept`, some of them at a time. Returns how many rows went.
pub(crate) async fn remove_old_hours(
    connection: &mut PgConnection,
    first_kept: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    // Rows that somebody counts on at this moment are for the next time.
    let removed = sqlx::query!(
        "delete from account_usage_hourly
         where ctid = any (array(
            select ctid from account_usage_hourly where bucket < $1
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

/// Removes days before `first_kept`, some of them at a time. Returns how many rows went.
pub(crate) async fn remove_old_days(
    connection: &mut PgConnection,
    first_kept: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    // Rows that somebody counts on at this moment are for the next time.
    let removed = sqlx::query!(
        "delete from account_usage_daily
         where ctid = any (array(
            select ctid from account_usage_daily where bucket < $1
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
