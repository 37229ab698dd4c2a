//! `usage_sources`: one row per source, whose lock puts its writers in a line.

use sqlx::PgConnection;
use uuid::Uuid;

/// Locks the rows of these sources to the end of the transaction, making those that are missing.
/// `sources` is sorted: two ingestors then wait for each other instead of deadlocking.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    sources: &[Uuid],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into usage_sources (source) select unnest($1::uuid[])
         on conflict (source) do update set last_seen_at = now()",
        sources,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records the final numbers of sources, which are locked.
pub(crate) async fn close(
    connection: &mut PgConnection,
    finals: &[(Uuid, i64)],
) -> Result<(), sqlx::Error> {
    let (sources, numbers): (Vec<Uuid>, Vec<i64>) = finals.iter().copied().unzip();
    sqlx::query!(
        "update usage_sources as source
         set final_sequence = greatest(source.final_sequence, closed.final_sequence)
         from unnest($1::uuid[], $2::bigint[]) as closed (source, final_sequence)
         where source.source = closed.source",
        &sources,
        &numbers,
    )
    .execute(connection)
    .await?;
    Ok(())
}
