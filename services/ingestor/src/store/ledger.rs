//! `usage_ledger`: what has been settled.

use sqlx::PgConnection;
use uuid::Uuid;

/// How a range was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Settlement {
    Counted,
    Dead,
    Dropped,
}

impl Settlement {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Dead => "dead",
            Self::Dropped => "dropped",
        }
    }
}

/// A row of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LedgerRange {
    pub(crate) source: Uuid,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) settlement: Settlement,
}

/// All ranges of these sources.
pub(crate) async fn read(
    connection: &mut PgConnection,
    sources: &[Uuid],
) -> Result<Vec<LedgerRange>, sqlx::Error> {
    let rows = sqlx::query!(
        "select source, first, last, outcome from usage_ledger where source = any($1)",
        sources,
    )
    .fetch_all(connection)
    .await?;
    let ranges = rows.into_iter().map(|row| LedgerRange {
        source: row.source,
        first: row.first.unsigned_abs(),
        last: row.last.unsigned_abs(),
        settlement: match row.outcome.as_str() {
            "counted" => Settlement::Counted,
            "dropped" => Settlement::Dropped,
            _ => Settlement::Dead,
        },
    });
    Ok(ranges.collect())
}

/// Replaces ranges by the merged ones. Both lists are sorted. The old rows go first, as the new ones
/// overlap them.
pub(crate) async fn replace(
    connection: &mut PgConnection,
    old: &[LedgerRange],
    new: &[LedgerRange],
) -> Result<(), sqlx::Error> {
    if !old.is_empty() {
        let sources: Vec<Uuid> = old.iter().map(|range| range.source).collect();
        let firsts: Vec<i64> = old.iter().map(|range| range.first as i64).collect();
        sqlx::query!(
            "delete from usage_ledger as ledger
             using unnest($1::uuid[], $2::bigint[]) as old (source, first)
             where ledger.source = old.source and ledger.first = old.first",
            &sources,
            &firsts,
        )
        .execute(&mut *connection)
        .await?;
    }
    let sources: Vec<Uuid> = new.iter().map(|range| range.source).collect();
    let firsts: Vec<i64> = new.iter().map(|range| range.first as i64).collect();
    let lasts: Vec<i64> = new.iter().map(|range| range.last as i64).collect();
    let outcomes: Vec<String> = new
        .iter()
        .map(|range| range.settlement.as_str().to_owned())
        .collect();
    sqlx::query!(
        "insert into usage_ledger (source, first, last, outcome)
         select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[])",
        &sources,
        &firsts,
        &lasts,
        &outcomes,
    )
    .execute(connection)
    .await?;
    Ok(())
}
