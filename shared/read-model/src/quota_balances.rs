//! `quota_balances`: what was used of the quotas of tokens and of accounts. The ingestor counts there;
//! nothing of it is made from the log.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgExecutor;
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::quota::Quotas;

use crate::Reach;

/// What was used of quotas of one owner, by their generations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Used(HashMap<u32, u64>);

impl Used {
    /// What was used of the balance of this generation.
    #[must_use]
    pub fn of(&self, generation: u32) -> u64 {
        self.0.get(&generation).copied().unwrap_or_default()
    }

    fn read(rows: Vec<Row>) -> Self {
        let used = rows
            .into_iter()
            .map(|row| (row.generation.unsigned_abs(), row.used.unsigned_abs()));
        Self(used.collect())
    }
}

struct Row {
    generation: i32,
    used: i64,
}

/// The balances that these quotas draw on at `now`: generations, and the first days of the periods.
fn balances(quotas: &Quotas, now: DateTime<Utc>) -> (Vec<i32>, Vec<NaiveDate>) {
    let now = now.timestamp_micros();
    let balance = |quota: &tollkeeper_domain::quota::Quota| {
        let generation = i32::try_from(quota.generation).unwrap_or(i32::MAX);
        (generation, quota.refill.period(now).first_day())
    };
    quotas.iter().map(balance).unzip()
}

/// What was used at `now` of these quotas of a token within reach; nothing of one that is not.
///
/// # Errors
/// If the database does not answer.
pub async fn of_token(
    db: impl PgExecutor<'_>,
    reach: Reach,
    id: TokenId,
    quotas: &Quotas,
    now: DateTime<Utc>,
) -> Result<Used, sqlx::Error> {
    let (generations, periods) = balances(quotas, now);
    let rows = sqlx::query_as!(
        Row,
        r#"select b.generation, sum(b.used)::bigint as "used!"
        from quota_balances as b join api_tokens as t on t.id = b.owner
        where b.owner = $1
            and (b.generation, b.period) in (select * from unnest($2::integer[], $3::date[]))
            and ($4::uuid is null or t.account_id = $4)
        group by b.generation"#,
        id.0,
        &generations,
        &periods,
        reach.account(),
    )
    .fetch_all(db)
    .await?;
    Ok(Used::read(rows))
}

/// The same of an account.
///
/// # Errors
/// If the database does not answer.
pub async fn of_account(
    db: impl PgExecutor<'_>,
    reach: Reach,
    id: AccountId,
    quotas: &Quotas,
    now: DateTime<Utc>,
) -> Result<Used, sqlx::Error> {
    let (generations, periods) = balances(quotas, now);
    let rows = sqlx::query_as!(
        Row,
        r#"select b.generation, sum(b.used)::bigint as "used!"
        from quota_balances as b
        where b.owner = $1
            and (b.generation, b.period) in (select * from unnest($2::integer[], $3::date[]))
            and ($4::uuid is null or b.owner = $4)
        group by b.generation"#,
        id.0,
        &generations,
        &periods,
        reach.account(),
    )
    .fetch_all(db)
    .await?;
    Ok(Used::read(rows))
}
