//! Which days of raw usage can be written to.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use parking_lot::Mutex;
use sqlx::PgPool;

use crate::patience::in_time;
use crate::store::partitions;

/// The days known to have a partition. Upkeep makes them ahead; a day that an old event needs is
/// made on demand.
#[derive(Debug)]
pub struct Partitions {
    pool: PgPool,
    known: Mutex<BTreeSet<NaiveDate>>,
}

impl Partitions {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            known: Mutex::default(),
        }
    }

    /// Makes sure these days have a partition.
    ///
    /// # Errors
    /// When the database is away or busy.
    pub async fn ensure(&self, days: &BTreeSet<NaiveDate>) -> Result<(), sqlx::Error> {
        let missing: Vec<NaiveDate> = {
            let known = self.known.lock();
            days.difference(&known).copied().collect()
        };
        for day in missing {
            let mut connection = self.pool.acquire().await?;
            let made: Result<bool, sqlx::Error> =
                in_time!(connection, partitions::create(&mut connection, day));
            if made? {
                tracing::info!(%day, "made a partition of raw usage");
            }
            self.known.lock().insert(day);
        }
        Ok(())
    }

    /// Drops the partitions of days before `day`.
    ///
    /// # Errors
    /// When the database is away or busy. Days dropped so far stay dropped.
    pub async fn drop_before(&self, day: NaiveDate) -> Result<(), sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let days: Result<Vec<NaiveDate>, sqlx::Error> =
            in_time!(connection, partitions::list(&mut connection));
        for old in days? {
            if old < day {
                // Forgotten first: a write that still needs it then makes it again.
                self.known.lock().remove(&old);
                let mut connection = self.pool.acquire().await?;
                let dropped: Result<bool, sqlx::Error> =
                    in_time!(connection, partitions::drop(&mut connection, old));
                if dropped? {
                    tracing::info!(day = %old, "dropped a day of raw usage");
                }
            }
        }
        Ok(())
    }

    /// Trusts nothing it knew: a write found a day missing.
    pub fn forget(&self) {
        self.known.lock().clear();
    }
}
