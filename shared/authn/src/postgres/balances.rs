//! What was used of quotas, as the ingestor has counted it.

use chrono::NaiveDate;
use sqlx::PgConnection;
use uuid::Uuid;

use super::rows::{database, primary_only};
use crate::source::{BalanceKey, SourceError, Used};

const NEGATIVE: SourceError = SourceError::Corrupt("a balance is negative");

/// What was used of these balances, one by one and in one snapshot: through these sources, and through
/// all others.
///
/// # Errors
/// [`SourceError`] if the primary does not answer, or a replica does.
pub async fn balances(
    connection: &mut PgConnection,
    asked: &[BalanceKey],
    own: &[Uuid],
) -> Result<Vec<Used>, SourceError> {
    let owners: Vec<Uuid> = asked.iter().map(|key| key.owner).collect();
    // The table holds none beyond its numbers.
    let generation = |key: &BalanceKey| i32::try_from(key.generation).unwrap_or(i32::MAX);
    let generations: Vec<i32> = asked.iter().map(generation).collect();
    let periods: Vec<NaiveDate> = asked.iter().map(|key| key.period.first_day()).collect();
    let rows = sqlx::query!(
        r#"
        select
            coalesce(sum(balance.used) filter (where balance.source = any($4)), 0)::bigint as "own!",
            coalesce(sum(balance.used) filter (where balance.source <> all($4)), 0)::bigint as "others!",
            pg_is_in_recovery() as "replica!"
        from unnest($1::uuid[], $2::integer[], $3::date[]) with ordinality
            as asked (owner, generation, period, place)
        left join quota_balances as balance
            on balance.owner = asked.owner and balance.generation = asked.generation
            and balance.period = asked.period
        group by asked.place
        order by asked.place
        "#,
        &owners,
        &generations,
        &periods,
        own,
    )
    .fetch_all(connection)
    .await
    .map_err(database)?;
    let units = |number: i64| u64::try_from(number).map_err(|_| NEGATIVE);
    rows.into_iter()
        .map(|row| {
            primary_only(row.replica)?;
            Ok(Used {
                own: units(row.own)?,
                others: units(row.others)?,
            })
        })
        .collect()
}
