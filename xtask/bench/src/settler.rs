//! The ingestor's transactions, from memory, against the same statements run by SQL alone.

use std::sync::Arc;

use sqlx::{Executor, PgPool};
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_ingestor::{Delivery, Partitions, Settler};

use crate::batches::{self, batch};
use crate::report::{Report, median, spread};
use crate::{Arguments, Failure};

const GROUPS: u64 = 15;
const BATCHES: u64 = 40;

/// Removes all usage.
pub(crate) const EMPTY: &str = "
    truncate usage_ledger, usage_sources, api_token_usage, api_token_usage_hourly,
             api_token_usage_daily, api_token_usage_totals, account_token_usage_daily,
             account_usage_hourly, account_usage_daily, usage_dead_letters";

/// Measures both in turns. Empties the usage tables.
pub(crate) async fn measure(
    pool: &PgPool,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let now = SystemClock.wall_micros();
    let of_group = |group: u64| (0..BATCHES).map(move |place| batch(group * BATCHES + place, now));
    let groups: Vec<Vec<(String, Vec<u8>)>> =
        (0..GROUPS).map(|it| of_group(it).collect()).collect();
    let (mut ratios, mut alone) = (Vec::new(), Vec::new());
    for pair in 0..arguments.pairs {
        pool.execute(EMPTY).await?;
        let ours = settle(pool, &groups).await?;
        if pair == 0 {
            pool.execute(include_str!("settler_prepare.sql")).await?;
        }
        pool.execute(EMPTY).await?;
        let base = sql_alone(pool).await?;
        ratios.push(ours / base);
        alone.push(base);
    }
    pool.execute(EMPTY).await?;
    report.row(
        "ingestor events/s, from memory, against the same statements by SQL alone",
        "≥ 0.8",
        spread(&ratios),
        format!("{:.0} events/s", median(alone)),
    );
    Ok(())
}

fn rate(since: std::time::Duration) -> f64 {
    let took = SystemClock.boot_time() - since;
    (GROUPS * BATCHES * batches::EVENTS) as f64 / took.as_secs_f64()
}

async fn settle(pool: &PgPool, groups: &[Vec<(String, Vec<u8>)>]) -> Result<f64, Failure> {
    let partitions = Arc::new(Partitions::new(pool.clone()));
    let settler = Settler::new(pool.clone(), Arc::new(SystemClock), partitions, 90);
    let start = SystemClock.boot_time();
    for group in groups {
        // Reading the messages is part of the ingestor's work.
        let group: Vec<Delivery> = group
            .iter()
            .map(|(subject, payload)| Delivery::read(subject, payload.clone().into()))
            .collect();
        let summary = settler.settle(&group).await?;
        assert_eq!(summary.events, BATCHES * batches::EVENTS, "all are new");
    }
    Ok(rate(start))
}

async fn sql_alone(pool: &PgPool) -> Result<f64, Failure> {
    let start = SystemClock.boot_time();
    for group in 0..GROUPS {
        let mut transaction = pool.begin().await?;
        for statement in include_str!("settler_alone.sql").split(';') {
            let statement = sqlx::query(statement).bind(group as i64);
            statement.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
    }
    Ok(rate(start))
}
