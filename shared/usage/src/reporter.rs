//! Tells the database once a second how far each lane has got, so that somebody else can say what is
//! missing when this process is gone.
//!
//! It must never be on the way of an event: nothing waits for it, and without it everything is counted
//! all the same.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tollkeeper_telemetry::usage::MARK_FAILURES;
use uuid::Uuid;

use crate::spool::Spool;

/// How often the database is told.
const EVERY: Duration = Duration::from_secs(1);

/// A mark that takes longer is given up: the next one says more.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who reports usage: one run of one process.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// New at each start.
    pub id: Uuid,
    /// The name of its machine.
    pub name: String,
    /// When it started, before it answered anything.
    pub started_at: DateTime<Utc>,
}

/// How far a process had got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// A moment: every call that was answered before it is among those below.
    pub at: DateTime<Utc>,
    /// Each source, with the last number that it has given out.
    pub given: Vec<(Uuid, u64)>,
    /// Whether nothing will follow.
    pub is_last: bool,
}

impl Mark {
    fn of(spool: &Spool, is_last: bool) -> Self {
        // The time first: what is answered in between is in the numbers and not before the time.
        let at = spool.clock().now();
        Self {
            at,
            given: spool.given(),
            is_last,
        }
    }
}

impl Reporter {
    /// Marks how far `spool` has got until `stop`, and once more then.
    pub async fn run(self, spool: Arc<Spool>, pool: PgPool, stop: CancellationToken) {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_last = tokio::select! {
                () = stop.cancelled() => true,
                _ = tick.tick() => false,
            };
            let mark = self.mark(&pool, Mark::of(&spool, is_last));
            let told = tokio::time::timeout(PATIENCE, mark).await;
            if !matches!(told, Ok(Ok(()))) {
                // Not logged: the connection to the database has a watch of its own.
                MARK_FAILURES.handle().increment(1);
            }
            if is_last {
                return;
            }
        }
    }

    /// Tells the database of `mark`, and notes there whether an earlier one is settled by now.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn mark(&self, pool: &PgPool, mark: Mark) -> Result<(), sqlx::Error> {
        let (sources, appended): (Vec<Uuid>, Vec<i64>) = mark
            .given
            .iter()
            // Numbers begin at 1 and are given out one by one.
            .map(|&(source, number)| (source, number as i64))
            .unzip();
        sqlx::query!(
            "insert into usage_reporters as reporter
               (id, name, started_at, seen_at, sources, marked_at, appended, checked_at, checked,
                complete_through, ended_at)
             values ($1, $2, $3, now(), $4, $5, $6, $5, $6, $3, case when $7 then $5::timestamptz end)
             on conflict (id) do update
             set (seen_at, marked_at, appended, ended_at, checked_at, checked, complete_through) = (
                 select now(), excluded.marked_at, excluded.appended, excluded.ended_at,
                     case when settled then excluded.marked_at else reporter.checked_at end,
                     case when settled then excluded.appended else reporter.checked end,
                     case when settled then reporter.checked_at else reporter.complete_through end
                 from usage_settled(reporter.sources, reporter.checked) as settled
             )",
            self.id,
            self.name,
            self.started_at,
            &sources,
            mark.at,
            &appended,
            mark.is_last,
        )
        .execute(pool)
        .await?;
        Ok(())
    }
}
