//! Tells the database once a second how far each lane has got, so that somebody else can say what is
//! missing when this process is gone.
//!
//! It must never be on the way of an event: nothing waits for it, and without it everything is counted
//! all the same.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use sqlx::PgPool;
use thiserror::Error;
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

/// A mark was not made.
#[derive(Debug, Error)]
pub enum MarkError {
    /// The run, or one of its sources, is somebody else's; or its sources are not those it had.
    #[error("somebody else reports for this run, or for one of its sources")]
    NotOurs,
    /// It could not be told.
    #[error("nobody can be told how far usage has got")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Where marks are made: in the database, or, on nodes without one, through the API.
pub trait MarkKeeper: Send + Sync + 'static {
    /// Keeps `mark`, and notes whether an earlier one of this reporter is settled by now.
    fn keep<'a>(
        &'a self,
        reporter: &'a Reporter,
        mark: &'a Mark,
    ) -> BoxFuture<'a, Result<(), MarkError>>;
}

/// Marks in Postgres.
#[derive(Debug, Clone)]
pub struct PostgresMarks {
    pool: PgPool,
    registrar: Option<String>,
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
    pub async fn run(self, spool: Arc<Spool>, marks: Arc<dyn MarkKeeper>, stop: CancellationToken) {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_last = tokio::select! {
                () = stop.cancelled() => true,
                _ = tick.tick() => false,
            };
            let mark = Mark::of(&spool, is_last);
            let told = tokio::time::timeout(PATIENCE, marks.keep(&self, &mark)).await;
            if !matches!(told, Ok(Ok(()))) {
                // Not logged: the connection to the database has a watch of its own.
                MARK_FAILURES.handle().increment(1);
            }
            if is_last {
                return;
            }
        }
    }
}

impl PostgresMarks {
    /// Marks of this process itself.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self {
            pool,
            registrar: None,
        }
    }

    /// Marks of nodes that `registrar` has registered, and of no others.
    #[must_use]
    pub const fn of_nodes(pool: PgPool, registrar: String) -> Self {
        Self {
            pool,
            registrar: Some(registrar),
        }
    }
}

impl MarkKeeper for PostgresMarks {
    fn keep<'a>(
        &'a self,
        reporter: &'a Reporter,
        mark: &'a Mark,
    ) -> BoxFuture<'a, Result<(), MarkError>> {
        let (sources, appended): (Vec<Uuid>, Vec<i64>) = mark
            .given
            .iter()
            // Numbers begin at 1 and are given out one by one.
            .map(|&(source, number)| (source, number as i64))
            .unzip();
        Box::pin(async move {
            let kept = sqlx::query!(
                "insert into usage_reporters as reporter
                   (id, name, started_at, seen_at, sources, marked_at, appended, checked_at, checked,
                    complete_through, ended_at, registered_by)
                 select $1, $2, $3, now(), $4, $5, $6, $5, $6, $3,
                     case when $7 then $5::timestamptz end, $8
                 where $8::text is null
                     -- It goes on, perhaps after it has left the nodes.
                     or exists (select from usage_reporters where id = $1)
                     or exists (select from nodes where id = $1 and registered_by = $8)
                     and not exists (select from usage_reporters where sources && $4::uuid[])
                 on conflict (id) do update
                 set (seen_at, marked_at, appended, ended_at, checked_at, checked, complete_through) = (
                     select now(), excluded.marked_at, excluded.appended, excluded.ended_at,
                         case when settled then excluded.marked_at else reporter.checked_at end,
                         case when settled then excluded.appended else reporter.checked end,
                         case when settled then reporter.checked_at else reporter.complete_through end
                     from usage_settled(reporter.sources, reporter.checked) as settled
                 )
                 where reporter.registered_by is not distinct from excluded.registered_by
                     and reporter.sources = excluded.sources",
                reporter.id,
                reporter.name,
                reporter.started_at,
                &sources,
                mark.at,
                &appended,
                mark.is_last,
                self.registrar,
            )
            .execute(&self.pool)
            .await
            .map_err(|error| MarkError::Failed(error.into()))?;
            if kept.rows_affected() == 0 {
                return Err(MarkError::NotOurs);
            }
            Ok(())
        })
    }
}
