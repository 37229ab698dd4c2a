//! `api_token_usage_totals`: how often a token was presented and when it last let a call pass.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::time;
use crate::tally::TotalSum;

/// Adds to the totals of these tokens. `last_used_at` only moves forward.
pub(crate) async fn add(
    connection: &mut PgConnection,
    totals: &BTreeMap<Uuid, TotalSum>,
) -> Result<(), sqlx::Error> {
    let token_ids: Vec<Uuid> = totals.keys().copied().collect();
    let counts: Vec<i64> = totals.values().map(|sum| sum.count).collect();
    let last_used: Vec<Option<DateTime<Utc>>> =
        totals.values().map(|sum| sum.last_used.map(time)).collect();
    // greatest() passes over nulls, so a token that was only refused keeps what it had.
    sqlx::query!(
        "insert into api_token_usage_totals as totals (token_id, usage_count, last_used_at)
         select * from unnest($1::uuid[], $2::bigint[], $3::timestamptz[])
         on conflict (token_id) do update
         set usage_count = totals.usage_count + excluded.usage_count,
             last_used_at = greatest(totals.last_used_at, excluded.last_used_at)",
        &token_ids,
        &counts,
        &last_used as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}
