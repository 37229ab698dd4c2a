//! The hourly audit: whether the sums of the last whole hour are what its raw rows say.
//!
//! Everything is written in one transaction, so a difference is a fault of ours or of somebody's hand
//! in the tables. It is told and not mended: `tollkeeper rollups rebuild` does that, when somebody has
//! looked. Each ingestor audits a sample of its own, so that what it costs is bounded.

use std::time::Duration;

use chrono::{DateTime, DurationRound, NaiveTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection, PgPool};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tollkeeper_ambient::SharedClock;
use tollkeeper_read_model::rollups::{self, Difference, Sums};
use tollkeeper_read_model::usage::Range;
use tollkeeper_telemetry::usage::{AUDIT_DIFFERING, AUDIT_REQUESTS, AUDITED_AT};
use uuid::Uuid;

use crate::patience::in_time;
use crate::store::sample;

/// How many rows are read at most.
const MOST_ROWS: i64 = 1_000_000;

/// How long after a failure it is tried again.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// How often it is looked whether an hour is over.
const EVERY: Duration = Duration::from_secs(30);

/// How many differences the log names.
const MOST_LOGGED: usize = 10;

/// An audit did not come to its end.
#[derive(Debug, Error)]
#[error("the sums of usage could not be audited")]
pub struct AuditError(#[from] sqlx::Error);

/// What an audit came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// The hour.
    pub hour: DateTime<Utc>,
    /// How many requests of the hour were compared with their rows.
    pub compared: i64,
    /// How many were not, as they are too many.
    pub left_out: i64,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// Audits the last whole hour, up to about `most_rows` rows of it.
///
/// # Errors
/// When the database is away or busy.
pub async fn audit_once(
    pool: &PgPool,
    now: DateTime<Utc>,
    rollup_retention_days: u32,
    most_rows: i64,
) -> Result<Audit, AuditError> {
    let hour = last_hour(now);
    let mut connection = pool.acquire().await?;
    let done: Result<Audit, sqlx::Error> = in_time!(connection, async {
        let mut transaction = connection.begin().await?;
        // One moment for the sample and all that is compared.
        sqlx::query!("set transaction isolation level repeatable read, read only")
            .execute(&mut *transaction)
            .await?;
        let from = rollups::kept_from(now, rollup_retention_days);
        let audit = look(&mut transaction, hour, from, most_rows).await?;
        transaction.commit().await?;
        Ok(audit)
    });
    Ok(done?)
}

async fn look(
    db: &mut PgConnection,
    hour: DateTime<Utc>,
    rollups_from: DateTime<Utc>,
    most_rows: i64,
) -> Result<Audit, sqlx::Error> {
    let range = Range {
        from: hour,
        to: hour + TimeDelta::hours(1),
    };
    let day = hour.date_naive().and_time(NaiveTime::MIN).and_utc();
    let whole_day = Range {
        from: day,
        to: day + TimeDelta::days(1),
    };
    let sample = sample::of_hour(db, hour, most_rows).await?;
    // All of them are told by nobody: so hours without any sum are found too.
    let tokens: Option<&[Uuid]> = (sample.left_out > 0).then_some(&sample.tokens);
    let mut differences = rollups::hours(db, range, tokens).await?;
    let tokens = Some(sample.tokens.as_slice());
    differences.extend(rollups::days(db, whole_day, tokens).await?);
    differences.extend(rollups::totals(db, range, rollups_from, tokens).await?);
    differences.extend(rollups::token_days(db, whole_day, tokens).await?);
    if sample.left_out == 0 {
        // An account's hours are compared with those of all its tokens.
        differences.extend(rollups::account_hours(db, range).await?);
    }
    differences.extend(rollups::account_days(db, whole_day).await?);
    Ok(Audit {
        hour,
        compared: sample.compared,
        left_out: sample.left_out,
        differences,
    })
}

fn last_hour(now: DateTime<Utc>) -> DateTime<Utc> {
    let hour = TimeDelta::hours(1);
    now.duration_trunc(hour).unwrap_or(now) - hour
}

/// Audits each hour when it is over, until `stop`.
pub async fn keep_auditing(
    pool: PgPool,
    clock: SharedClock,
    rollup_retention_days: u32,
    stop: CancellationToken,
) {
    let mut audited = None;
    loop {
        let now = clock.now();
        let mut wait = EVERY;
        if audited != Some(last_hour(now)) {
            let done = tokio::select! {
                () = stop.cancelled() => return,
                done = audit_once(&pool, now, rollup_retention_days, MOST_ROWS) => done,
            };
            match done {
                Ok(audit) => {
                    report(&audit, now);
                    audited = Some(audit.hour);
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "will try again");
                    wait = AFTER_FAILURE;
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn report(audit: &Audit, now: DateTime<Utc>) {
    for sums in Sums::ALL {
        let differing = audit.differences.iter().filter(|it| it.sums == sums);
        AUDIT_DIFFERING
            .with(sums.as_str())
            .set(differing.count() as f64);
    }
    AUDIT_REQUESTS.with("compared").set(audit.compared as f64);
    AUDIT_REQUESTS.with("left_out").set(audit.left_out as f64);
    AUDITED_AT.handle().set(now.timestamp() as f64);
    for it in audit.differences.iter().take(MOST_LOGGED) {
        tracing::error!(
            sums = it.sums.as_str(), owner = %it.owner, bucket = ?it.bucket,
            stored = it.stored, counted = it.counted, "sums of usage are not what the rows say"
        );
    }
}
