//! Which trace the events of the log are part of, kept beside the log for those who are told of them
//! later: the broker and webhooks.
//!
//! A trace is no fact: nothing waits for what is kept here, nothing depends on it, and it goes after
//! some days. The log and its hashes know nothing of it.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::{PgExecutor, PgPool};
use tokio_util::sync::CancellationToken;
use tollkeeper_telemetry::trace::{SpanContext, TRACEPARENT, TRACESTATE, read, write};
use uuid::Uuid;

/// What it may take at most of the time of a request.
const PATIENCE: Duration = Duration::from_millis(200);

/// How often old ones are removed, and how many at once.
const PAUSE: Duration = Duration::from_mins(10);
const BATCH: i64 = 1000;

/// Keeps the span that these events come from. Without it they are told of without one.
pub(crate) async fn note(pool: &PgPool, events: &[Uuid], span: &SpanContext) {
    let (mut parent, mut state) = (String::new(), None);
    for (name, value) in write(span) {
        match name {
            TRACEPARENT => parent = value,
            TRACESTATE => state = Some(value),
            _ => {}
        }
    }
    let noting = sqlx::query!(
        "insert into event_traces (event_id, traceparent, tracestate)
        select event_id, $2, $3 from unnest($1::uuid[]) as events (event_id)",
        events,
        parent,
        state,
    );
    match tokio::time::timeout(PATIENCE, noting.execute(pool)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a trace ends where its event is told of"),
        Err(_) => tracing::debug!("a trace ends where its event is told of: no answer in time"),
    }
}

/// The spans that these events come from, as far as they are kept.
///
/// # Errors
/// If the database does not answer.
pub(crate) async fn of(
    db: impl PgExecutor<'_>,
    events: &[Uuid],
) -> Result<HashMap<Uuid, SpanContext>, sqlx::Error> {
    let rows = sqlx::query!(
        "select event_id, traceparent, tracestate from event_traces where event_id = any($1)",
        events,
    )
    .fetch_all(db)
    .await?;
    let known = rows.into_iter().filter_map(|row| {
        let span = read(&row.traceparent, row.tracestate.as_deref())?;
        Some((row.event_id, span))
    });
    Ok(known.collect())
}

/// Removes what is old until `stop`. Several processes may do so at once.
pub async fn upkeep(pool: PgPool, stop: CancellationToken) {
    loop {
        let swept = tokio::select! {
            () = stop.cancelled() => return,
            swept = sweep(&pool) => swept,
        };
        if let Err(error) = swept {
            tracing::debug!(%error, "old traces of events are removed later");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn sweep(pool: &PgPool) -> Result<(), sqlx::Error> {
    loop {
        let removed = sqlx::query!(
            "with old as (
                select event_id from event_traces
                where noted_at <= clock_timestamp() - interval '7 days'
                order by noted_at limit $1 for update skip locked
            )
            delete from event_traces as t using old where t.event_id = old.event_id",
            BATCH,
        )
        .execute(pool)
        .await?;
        if removed.rows_affected() < BATCH.unsigned_abs() {
            return Ok(());
        }
    }
}
