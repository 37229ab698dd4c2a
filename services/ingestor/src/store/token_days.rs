//! `account_token_usage_daily`: how often each token of an account was used on a UTC day.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::rollups::MOST_REMOVED;
use super::time;
use crate::tally::{TokenDayKey, TokenDaySum};

/// Adds to the days of these tokens.
pub(crate) async fn add(
    connection: &mut PgConnection,
    days: &BTreeMap<TokenDayKey, TokenDaySum>,
) -> Result<(), sqlx::Error> {
    let account_ids: Vec<Uuid> = days.keys().map(|key| key.account_id).collect();
    let buckets: Vec<DateTime<Utc>> = days.keys().map(|key| time(key.bucket)).collect();
    let token_ids: Vec<Uuid> = days.keys().map(|key| key.token_id).collect();
    let requests: Vec<i64> = days.values().map(|sum| sum.requests).collect();
    let errors: Vec<i64> = days.values().map(|sum| sum.errors).collect();
    sqlx::query!(
        "insert into account_token_usage_daily as days
           (account_id, bucket, token_id, requests, errors)
         select * from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::bigint[], $5::bigint[])
         on conflict (account_id, bucket, token_id) do update
         set requests = days.requests + excluded.requests, errors = days.errors + excluded.errors",
        &account_ids,
        &buckets,
        &token_ids,
        &requests,
        &errors,
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
        "delete from account_token_usage_daily
         where ctid = any (array(
            select ctid from account_token_usage_daily where bucket < $1
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
