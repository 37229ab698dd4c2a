//! Watches what the process leans on, and tells `/readyz` and the log when that changes.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tollkeeper_authn::{Engine, EngineStatus, Freshness, MemoryUse};
use tollkeeper_runtime::database::{Stopped, connect_patiently};
use tollkeeper_runtime::health::{ReadinessHandle, State};
use tollkeeper_telemetry::verification;
use tollkeeper_usage::Spool;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// How long the tokens used last may take, from the first proof on.
const LONGEST_WARM_UP: Duration = Duration::from_secs(5);

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits for Postgres and then watches it until `stop`.
///
/// # Errors
/// [`Stopped::Unusable`] if the schema is one that this binary cannot use.
pub async fn watch_postgres(
    pool: PgPool,
    readiness: ReadinessHandle,
    stop: CancellationToken,
) -> Result<(), Stopped> {
    match connect_patiently(&pool, &readiness, &stop).await {
        Err(Stopped::Asked) => return Ok(()),
        Err(unusable) => return Err(unusable),
        Ok(()) => {}
    }
    let mut away = false;
    while wait(&stop).await {
        let answer = tokio::time::timeout(PATIENCE, tollkeeper_event_store::head(&pool)).await;
        let reason = match answer {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("Postgres does not answer".to_owned()),
        };
        match (reason, away) {
            (None, false) => {}
            (None, true) => {
                tracing::info!("Postgres is there again");
                readiness.ready();
                away = false;
            }
            (Some(reason), _) => {
                if !away {
                    tracing::warn!(%reason, "Postgres is away");
                }
                readiness.not_ready(reason);
                away = true;
            }
        }
    }
    Ok(())
}

/// Reads up to `most` of the tokens used last before the process is ready, so that a node that
/// starts is of use at once. A database that is slow about it does not keep the node from starting.
pub async fn warm_up(
    engine: Arc<Engine>,
    most: usize,
    readiness: ReadinessHandle,
    stop: CancellationToken,
) {
    readiness.not_ready("the tokens used last are being read");
    let warming = async {
        // Without a proof the node is not ready in any case.
        engine.proven().await;
        tokio::time::timeout(LONGEST_WARM_UP, engine.preload(most)).await
    };
    let warmed = tokio::select! {
        () = stop.cancelled() => return,
        warmed = warming => warmed,
    };
    match warmed {
        Ok(Ok(tokens)) => tracing::info!(tokens, "the tokens used last are known"),
        Ok(Err(error)) => tracing::warn!(%error, "starting without the tokens used last"),
        Err(_) => tracing::warn!("the tokens used last are not all known: reading took too long"),
    }
    readiness.ready();
    stop.cancelled().await;
}

/// Watches the proof that verification answers by until `stop`.
pub async fn watch_proof(engine: Arc<Engine>, readiness: ReadinessHandle, stop: CancellationToken) {
    let mut last = None;
    loop {
        let status = engine.status();
        tell(&status);
        let freshness = status.freshness;
        readiness.describe(State {
            state: freshness.as_str(),
            age_ms: status
                .proof_age
                .map(|age| age.as_millis().try_into().unwrap_or(u64::MAX)),
        });
        match freshness {
            Freshness::Live | Freshness::Stale => readiness.ready(),
            Freshness::Unavailable => readiness.not_ready("what is in memory is not proven"),
        }
        if last.is_some_and(|last| last != freshness) {
            tracing::info!(state = freshness.as_str(), "verification changed its state");
        }
        last = Some(freshness);
        if !wait(&stop).await {
            return;
        }
    }
}

/// Brings the metrics up to date. The engine counts beside its own data; the metrics are told now
/// and then instead of at each check.
#[allow(
    clippy::cast_precision_loss,
    reason = "gauges are floating-point numbers"
)]
fn tell(status: &EngineStatus) {
    let counts = &status.counts;
    for (source, count) in [
        ("hit", counts.hits),
        ("negative_hit", counts.negative_hits),
        ("miss", counts.misses),
        ("malformed", counts.malformed),
    ] {
        verification::CHECKS.with(source).absolute(count);
    }
    verification::UNAVAILABLE
        .handle()
        .absolute(counts.unavailable);
    verification::LOOKUPS.handle().absolute(counts.lookups);
    for state in [Freshness::Live, Freshness::Stale, Freshness::Unavailable] {
        let is_it = state == status.freshness;
        verification::STATE
            .with(state.as_str())
            .set(f64::from(is_it));
    }
    for (outcome, count) in [("ok", counts.heads_read), ("failed", counts.heads_failed)] {
        verification::HEAD_READS.with(outcome).absolute(count);
    }
    verification::RATE_LIMITED
        .handle()
        .absolute(counts.rate_limited);
    verification::RATE_LIMIT_BUCKETS
        .handle()
        .set(status.buckets as f64);
    verification::RATE_LIMITS_FORGOTTEN
        .handle()
        .absolute(counts.buckets_forgotten);
    for (what, count) in [
        ("told", counts.limits_told),
        ("heard", counts.limits_heard),
        ("not_heeded", counts.limits_not_heeded),
    ] {
        verification::RATE_LIMIT_MESSAGES.with(what).absolute(count);
    }
    let share = f64::from(status.nodes_heard) / f64::from(status.nodes_sharing.max(1));
    verification::RATE_LIMIT_SHARE.handle().set(share);
    verification::QUOTA_EXCEEDED
        .handle()
        .absolute(counts.quota_exceeded);
    verification::QUOTA_BALANCES
        .handle()
        .set(status.balances as f64);
    verification::QUOTA_BALANCES_FORGOTTEN
        .handle()
        .absolute(counts.balances_forgotten);
    let age = status.proof_age.unwrap_or_default();
    verification::PROOF_AGE.handle().set(age.as_secs_f64());
    let applied = status.applied_position.unwrap_or_default();
    verification::APPLIED_POSITION.handle().set(applied as f64);
    tell_memory(&status.memory);
}

#[allow(
    clippy::cast_precision_loss,
    reason = "gauges are floating-point numbers"
)]
fn tell_memory(memory: &MemoryUse) {
    verification::CACHE_BYTES.handle().set(memory.bytes as f64);
    verification::CACHE_MAX_BYTES
        .handle()
        .set(memory.max_bytes as f64);
    verification::CACHE_ENTRIES
        .handle()
        .set(memory.entries as f64);
    verification::CACHE_EVICTIONS
        .handle()
        .absolute(memory.evicted);
}

/// Watches whether usage can be kept until `stop`.
pub async fn watch_spool(spool: Arc<Spool>, readiness: ReadinessHandle, stop: CancellationToken) {
    let mut was_full = false;
    loop {
        let full = spool.stats().full;
        match (full, was_full) {
            (true, false) => tracing::error!("the usage spool is full"),
            (false, true) => tracing::info!("the usage spool has room again"),
            _ => {}
        }
        if full {
            readiness.not_ready("the usage spool is full");
        } else {
            readiness.ready();
        }
        was_full = full;
        if !wait(&stop).await {
            return;
        }
    }
}

/// Whether to go on after a pause.
async fn wait(stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(PAUSE) => true,
    }
}
