//! Rebuilds the projected tables from the log beside the live ones and compares the two.

use sqlx::{Connection, PgConnection};
use tollkeeper_event_store::{FollowError, head, read_after};

use crate::replay::{ReplayError, World};

const PAGE: i64 = 1000;

/// A row that is not what the log says it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// The row's key.
    pub key: String,
    /// Whether the live table holds the row (and the log does not), or the other way round. A row
    /// that differs is told in both ways.
    pub live: bool,
}

/// Why the tables cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The database did not answer.
    #[error("the projections cannot be compared: {0}")]
    Database(#[from] sqlx::Error),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] FollowError),
    /// The log cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

/// Compares the live tables with what the log says, in one snapshot of both.
///
/// # Errors
/// [`RebuildError`] if either cannot be read.
pub async fn verify(db: &mut PgConnection) -> Result<Vec<Difference>, RebuildError> {
    let mut snapshot = db
        .begin_with("begin isolation level repeatable read")
        .await?;
    let end = head(&mut *snapshot)
        .await
        .map_err(FollowError::from)?
        .position;
    let mut world = World::default();
    let mut position = 0;
    while position < end {
        let events = read_after(&mut *snapshot, position, PAGE).await?;
        let Some(last) = events.last() else {
            return Err(FollowError::Gap {
                expected: position + 1,
                found: end,
            }
            .into());
        };
        position = last.position;
        events.iter().try_for_each(|event| world.apply(event))?;
    }
    // The database itself turns the rows into its types, as it does for the live tables.
    let rows = sqlx::query!(
        r#"with expected as (select $1::jsonb as rows),
        differing as (
            select 'accounts' as "table", id::text as key, live from (
                (table accounts except all
                select * from jsonb_populate_recordset(
                    null::accounts, (select rows -> 'accounts' from expected)))
            ) as l cross join (select true as live) as s
            union all
            select 'accounts', id::text, live from (
                (select * from jsonb_populate_recordset(
                    null::accounts, (select rows -> 'accounts' from expected))
                except all table accounts)
            ) as l cross join (select false as live) as s
            union all
            select 'api_tokens', id::text, live from (
                (table api_tokens except all
                select * from jsonb_populate_recordset(
                    null::api_tokens, (select rows -> 'api_tokens' from expected)))
            ) as l cross join (select true as live) as s
            union all
            select 'api_tokens', id::text, live from (
                (select * from jsonb_populate_recordset(
                    null::api_tokens, (select rows -> 'api_tokens' from expected))
                except all table api_tokens)
            ) as l cross join (select false as live) as s
            union all
            select 'api_token_secrets', token_id::text, live from (
                (table api_token_secrets except all
                select * from jsonb_populate_recordset(
                    null::api_token_secrets, (select rows -> 'api_token_secrets' from expected)))
            ) as l cross join (select true as live) as s
            union all
            select 'api_token_secrets', token_id::text, live from (
                (select * from jsonb_populate_recordset(
                    null::api_token_secrets, (select rows -> 'api_token_secrets' from expected))
                except all table api_token_secrets)
            ) as l cross join (select false as live) as s
        )
        select "table" as "table!", key as "key!", live as "live!" from differing order by 1, 2, 3"#,
        world.rows().into_json(),
    )
    .fetch_all(&mut *snapshot)
    .await?;
    snapshot.rollback().await?;
    let differences = rows.into_iter();
    Ok(differences
        .map(|row| Difference {
            table: row.table,
            key: row.key,
            live: row.live,
        })
        .collect())
}
