//! Writing events: raw rows, rollups, totals and balances of quotas, with the refused ones found by
//! halving.

use std::collections::HashSet;
use std::mem;
use std::ops::Range;

use sqlx::{Connection, PgConnection};

use crate::endpoints::Endpoints;
use crate::fault::Fault;
use crate::store::{accounts, balances, daily, hourly, raw, token_days, totals};
use crate::tally::{Countable, Tally};

/// A sick ingestor must not hold the source rows for long.
pub(super) async fn limit_waits(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "select set_config('lock_timeout', '10s', true) as lock_timeout,
                set_config('idle_in_transaction_session_timeout', '30s', true) as idle_timeout"
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

/// Writes all events that the database accepts. Returns the others by their place, with what the
/// database said.
pub(super) async fn events(
    connection: &mut PgConnection,
    endpoints: &Endpoints,
    mut countables: Vec<Countable<'_>>,
) -> Result<Vec<(usize, String)>, Fault> {
    let hours: HashSet<_> = countables.iter().map(token_hour).collect();
    endpoints.load(connection, hours).await?;
    for countable in &mut countables {
        let hour = token_hour(countable);
        let template = mem::take(&mut countable.endpoint);
        countable.endpoint = endpoints.admit(hour, template);
    }

    let mut refused = Vec::new();
    let mut parts: Vec<Range<usize>> = Vec::new();
    if !countables.is_empty() {
        parts.push(0..countables.len());
    }
    while let Some(part) = parts.pop() {
        let mut savepoint = connection.begin().await?;
        match insert(&mut savepoint, &countables[part.clone()]).await {
            Ok(()) => savepoint.commit().await?,
            Err(Fault::Refused { code, detail }) => {
                savepoint.rollback().await?;
                if part.len() == 1 {
                    refused.push((part.start, format!("{detail} (SQLSTATE {code})")));
                } else {
                    let middle = part.start + part.len() / 2;
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                }
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(refused)
}

async fn insert(connection: &mut PgConnection, events: &[Countable<'_>]) -> Result<(), Fault> {
    let tally = Tally::of(events);
    raw::insert(connection, events).await?;
    hourly::add(connection, &tally.hours).await?;
    daily::add(connection, &tally.days).await?;
    totals::add(connection, &tally.totals).await?;
    balances::add(connection, &tally.balances).await?;
    token_days::add(connection, &tally.token_days).await?;
    // Many tokens meet in these rows, and so do ingestors: they are locked last and shortest.
    accounts::add_hours(connection, &tally.account_hours).await?;
    accounts::add_days(connection, &tally.account_days).await?;
    Ok(())
}

fn token_hour(countable: &Countable<'_>) -> (uuid::Uuid, i64) {
    (countable.event.token_id.0, countable.hour())
}
