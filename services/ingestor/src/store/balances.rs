//! `quota_balances`: what was used of each quota.

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::tally::BalanceKey;

/// How many days after its first day a period is over for good: the longest month, and 40 days for
/// whoever wants to look something up.
const KEPT_DAYS: i64 = 31 + 40;

/// The most rows that one statement removes: it must not keep counting waiting.
pub(crate) const MOST_REMOVED: u64 = 10_000;

/// Adds what was used. Nothing was, for the most part: then there is nothing to be asked of the
/// database.
pub(crate) async fn add(
    connection: &mut PgConnection,
    balances: &BTreeMap<BalanceKey, i64>,
) -> Result<(), sqlx::Error> {
    if balances.is_empty() {
        return Ok(());
    }
    let owners: Vec<Uuid> = balances.keys().map(|key| key.owner).collect();
    let generations: Vec<i32> = balances.keys().map(|key| key.generation).collect();
    let periods: Vec<NaiveDate> = balances.keys().map(|key| key.period.first_day()).collect();
    let sources: Vec<Uuid> = balances.keys().map(|key| key.source).collect();
    let used: Vec<i64> = balances.values().copied().collect();
    sqlx::query!(
        "insert into quota_balances as balance (owner, generation, period, source, used)
         select * from unnest($1::uuid[], $2::integer[], $3::date[], $4::uuid[], $5::bigint[])
         on conflict (owner, generation, period, source) do update
         set used = balance.used + excluded.used",
        &owners,
        &generations,
        &periods,
        &sources,
        &used,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes balances of days and months that were over 40 days before `today`, some of them at a time.
/// Returns how many rows went.
pub(crate) async fn remove_old(
    connection: &mut PgConnection,
    today: NaiveDate,
) -> Result<u64, sqlx::Error> {
    let first_kept = today - TimeDelta::days(KEPT_DAYS);
    // Rows that somebody counts on at this moment are for the next time.
    let removed = sqlx::query!(
        "delete from quota_balances as balance
         using (
            select owner, generation, period, source from quota_balances
            where period < $1 and period <> '1970-01-01'
            limit $2
            for update skip locked
         ) as old
         where balance.owner = old.owner and balance.generation = old.generation
            and balance.period = old.period and balance.source = old.source",
        first_kept,
        MOST_REMOVED as i64,
    )
    .execute(connection)
    .await?;
    Ok(removed.rows_affected())
}
