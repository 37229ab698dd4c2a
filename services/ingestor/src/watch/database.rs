//! What the database tells of usage as a whole.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use sqlx::{Connection, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use tollkeeper_ambient::SharedClock;
use tollkeeper_read_model::usage::{completeness, dead_letters};
use tollkeeper_telemetry::usage::{
    COMPLETENESS_LAG, DEAD_LETTERS_WAITING, LEDGER_MISSING, PARTITIONS_AHEAD, VANISHED_SOURCES,
};

use crate::patience::in_time;
use crate::store::partitions;

const EVERY: Duration = Duration::from_secs(30);

/// The most dead letters that are counted.
const MOST_LETTERS: i64 = 10_000;

/// Watches the tables of usage until `stop`.
pub async fn watch_database(pool: PgPool, clock: SharedClock, stop: CancellationToken) {
    super::watch("postgres", EVERY, stop, || read(&pool, clock.now())).await;
}

async fn read(pool: &PgPool, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    in_time!(connection, ask(&mut connection, now))
}

async fn ask(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // What takes longer is not worth what it costs.
    sqlx::query!("select set_config('statement_timeout', '2s', true)")
        .fetch_one(&mut *transaction)
        .await?;
    let summary = completeness::summary(&mut *transaction).await?;
    let missing = completeness::missing(&mut *transaction).await?;
    let letters = dead_letters::waiting(&mut *transaction, MOST_LETTERS).await?;
    let days = partitions::list(&mut transaction).await?;
    transaction.commit().await?;

    let lag = (summary.as_of - summary.complete_through).max(TimeDelta::zero());
    COMPLETENESS_LAG.handle().set(lag.as_seconds_f64());
    VANISHED_SOURCES.handle().set(summary.vanished as f64);
    LEDGER_MISSING.handle().set(missing as f64);
    DEAD_LETTERS_WAITING.handle().set(letters as f64);
    PARTITIONS_AHEAD
        .handle()
        .set(ahead(&days, now.date_naive()) as f64);
    Ok(())
}

/// How many days after `today` have a partition, up to the first that has none.
fn ahead(days: &[NaiveDate], today: NaiveDate) -> usize {
    let following = (1..).map_while(|number| today.checked_add_days(Days::new(number)));
    following.take_while(|day| days.contains(day)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_up_to_the_first_that_is_missing() {
        let day = |number| NaiveDate::from_ymd_opt(2026, 11, number).expect("a day");
        let days = [day(20), day(22), day(23), day(25)];
        assert_eq!(ahead(&days, day(21)), 2);
        assert_eq!(ahead(&days, day(23)), 0);
        assert_eq!(ahead(&[], day(1)), 0);
    }
}
