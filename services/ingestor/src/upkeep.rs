//! Tables kept in shape: days of raw usage are made ahead of time and dropped after retention, rollups
//! are removed after theirs, balances of quotas go when their periods are long over, and ids of reports
//! when no report is taken for a repeat any more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use sqlx::PgPool;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tollkeeper_ambient::SharedClock;

use crate::partitions::Partitions;
use crate::patience::in_time;
use crate::store::{accounts, balances, daily, hourly, reports, rollups, token_days};

const DAYS_AHEAD: u64 = 7;
/// How long the id of a report is known.
const REPORT_IDS_KEPT: TimeDelta = TimeDelta::days(14);
const EVERY: Duration = Duration::from_secs(600);
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Upkeep did not happen; it is tried again.
#[derive(Debug, Error)]
#[error("the tables of usage could not be kept up")]
pub struct UpkeepError(#[from] sqlx::Error);

/// Makes the coming days and drops the ones past retention.
///
/// # Errors
/// When the database is away or busy.
pub async fn upkeep_once(
    partitions: &Partitions,
    now: DateTime<Utc>,
    retention_days: u32,
) -> Result<(), UpkeepError> {
    let today = now.date_naive();
    let ahead: BTreeSet<NaiveDate> = (0..=DAYS_AHEAD)
        .filter_map(|days| today.checked_add_days(Days::new(days)))
        .collect();
    partitions.ensure(&ahead).await?;
    if let Some(first_kept) = today.checked_sub_days(Days::new(retention_days.into())) {
        partitions.drop_before(first_kept).await?;
    }
    Ok(())
}

/// Removes the balances of days and months that were over 40 days ago.
///
/// # Errors
/// When the database is away or busy. What was removed so far stays removed.
pub async fn remove_old_balances(pool: &PgPool, now: DateTime<Utc>) -> Result<(), UpkeepError> {
    loop {
        let mut connection = pool.acquire().await?;
        let removed: Result<u64, sqlx::Error> = in_time!(
            connection,
            balances::remove_old(&mut connection, now.date_naive())
        );
        if removed? < balances::MOST_REMOVED {
            return Ok(());
        }
    }
}

/// Removes the ids by which calls were reported more than 14 days ago.
///
/// # Errors
/// When the database is away or busy. What was removed so far stays removed.
pub async fn remove_old_report_ids(pool: &PgPool, now: DateTime<Utc>) -> Result<(), UpkeepError> {
    loop {
        let mut connection = pool.acquire().await?;
        let removed: Result<u64, sqlx::Error> = in_time!(
            connection,
            reports::remove_old_ids(&mut connection, now - REPORT_IDS_KEPT)
        );
        if removed? < reports::MOST_REMOVED {
            return Ok(());
        }
    }
}

/// Removes the rollups of days that are more than `retention_days` ago.
///
/// # Errors
/// When the database is away or busy. What was removed so far stays removed.
pub async fn remove_old_rollups(
    pool: &PgPool,
    now: DateTime<Utc>,
    retention_days: u32,
) -> Result<(), UpkeepError> {
    let first_kept = now
        .date_naive()
        .checked_sub_days(Days::new(retention_days.into()));
    let Some(first_kept) = first_kept else {
        return Ok(());
    };
    let first_kept = first_kept.and_time(NaiveTime::MIN).and_utc();
    loop {
        let mut connection = pool.acquire().await?;
        let removed: Result<u64, sqlx::Error> = in_time!(connection, async {
            let db = &mut *connection;
            let removed = [
                hourly::remove_old(db, first_kept).await?,
                daily::remove_old(db, first_kept).await?,
                token_days::remove_old(db, first_kept).await?,
                accounts::remove_old_hours(db, first_kept).await?,
                accounts::remove_old_days(db, first_kept).await?,
            ];
            Ok(removed.into_iter().max().unwrap_or(0))
        });
        if removed? < rollups::MOST_REMOVED {
            return Ok(());
        }
    }
}

/// Upkeep of partitions at start and every ten minutes, until `stop`.
pub async fn keep_partitions(
    partitions: Arc<Partitions>,
    clock: SharedClock,
    retention_days: u32,
    stop: CancellationToken,
) {
    let once = || upkeep_once(&partitions, clock.now(), retention_days);
    keep_up(once, stop).await;
}

/// Upkeep of rollups at start and every ten minutes, until `stop`.
pub async fn keep_rollups(
    pool: PgPool,
    clock: SharedClock,
    retention_days: u32,
    stop: CancellationToken,
) {
    let once = || remove_old_rollups(&pool, clock.now(), retention_days);
    keep_up(once, stop).await;
}

/// Upkeep of balances at start and every ten minutes, until `stop`.
pub async fn keep_balances(pool: PgPool, clock: SharedClock, stop: CancellationToken) {
    let once = || remove_old_balances(&pool, clock.now());
    keep_up(once, stop).await;
}

/// Upkeep of the ids of reports at start and every ten minutes, until `stop`.
pub async fn keep_report_ids(pool: PgPool, clock: SharedClock, stop: CancellationToken) {
    let once = || remove_old_report_ids(&pool, clock.now());
    keep_up(once, stop).await;
}

async fn keep_up<F>(once: impl Fn() -> F, stop: CancellationToken)
where
    F: Future<Output = Result<(), UpkeepError>>,
{
    loop {
        let done = tokio::select! {
            // Each step is a transaction of its own: what is cut off did not happen.
            () = stop.cancelled() => return,
            done = once() => done,
        };
        let wait = match done {
            Ok(()) => EVERY,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "will try again");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
