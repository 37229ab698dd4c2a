//! Reading the ledger: which events have been counted, and so need not be kept any more.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::PgPool;
use thiserror::Error;
use uuid::Uuid;

use crate::ranges::RangeSet;

/// What is settled of some sources. Of a source that is not in it nothing is.
pub type Coverage = HashMap<Uuid, Covered>;

/// What is settled of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Covered {
    /// Its settled ranges, whatever their outcome.
    pub ranges: RangeSet,
    /// Its final number, if it has told it and was heard.
    pub final_number: Option<u64>,
}

/// The ledger could not be read. It says nothing about what is in it.
#[derive(Debug, Error)]
#[error("the usage ledger cannot be read")]
pub struct LedgerError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Where a publisher learns what has been settled: the database, or, on nodes without one, the API.
pub trait LedgerReader: Send + Sync + 'static {
    /// Every settled range of these sources, and their final numbers.
    fn covered(&self, sources: Vec<Uuid>) -> BoxFuture<'_, Result<Coverage, LedgerError>>;
}

/// An answer that takes longer is none: the host may have died without a word.
const PATIENCE: Duration = Duration::from_secs(10);

/// The ledger in Postgres. It must be the primary: a replica may lag, which is safe but keeps
/// segments longer.
#[derive(Debug, Clone)]
pub struct PostgresLedger {
    pool: PgPool,
}

impl PostgresLedger {
    /// Reads through `pool`.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

impl LedgerReader for PostgresLedger {
    fn covered(&self, sources: Vec<Uuid>) -> BoxFuture<'_, Result<Coverage, LedgerError>> {
        Box::pin(async move {
            let failed = |error: sqlx::Error| LedgerError(error.into());
            let mut connection = self.pool.acquire().await.map_err(failed)?;
            let query = sqlx::query!(
                r#"select source.source as "source!", source.final_sequence,
                          range.first as "first?", range.last as "last?"
                   from usage_sources as source
                   left join usage_ledger as range on range.source = source.source
                   where source.source = any($1)"#,
                &sources,
            )
            .fetch_all(&mut *connection);
            let rows = match tokio::time::timeout(PATIENCE, query).await {
                Ok(rows) => rows.map_err(failed)?,
                Err(late) => {
                    // Nobody knows what else would come over this connection.
                    drop(connection.detach());
                    return Err(LedgerError(late.into()));
                }
            };
            let mut coverage = Coverage::new();
            for row in rows {
                // The tables' constraints keep the numbers positive.
                let covered = coverage.entry(row.source).or_default();
                covered.final_number = row.final_sequence.map(i64::unsigned_abs);
                if let (Some(first), Some(last)) = (row.first, row.last) {
                    let ranges = &mut covered.ranges;
                    ranges.insert(first.unsigned_abs(), last.unsigned_abs());
                }
            }
            Ok(coverage)
        })
    }
}
