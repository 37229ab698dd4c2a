//! The `tollkeeper-ingestor` process.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tollkeeper_ambient::{Clock, Entropy, SharedClock, SystemClock, SystemEntropy};
use tollkeeper_ingestor::{
    Consumer, IngestorSettings, Partitions, Settler, count_reports, keep_auditing, keep_balances,
    keep_partitions, keep_report_ids, keep_rollups, replay_dead_letters, watch_broker,
    watch_connection, watch_database,
};
use tollkeeper_runtime::database::{PoolShape, connect_patiently, pool};
use tollkeeper_runtime::health::{Health, InternalServer, Need};
use tollkeeper_runtime::lifecycle::Lifecycle;
use tollkeeper_runtime::logging::LogGuard;
use tollkeeper_runtime::settings::{Binary, Source};
use tollkeeper_runtime::{logging, metrics, nats, tls, traces};
use tollkeeper_telemetry::Service;

/// How long a stop may take: the longest transaction, with room.
const GRACE: Duration = Duration::from_secs(30);

type StartError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    match start().await {
        Ok((lifecycle, _log)) => lifecycle.run_until_stopped(GRACE).await,
        #[expect(clippy::print_stderr, reason = "the log may not be set up yet")]
        Err(error) => {
            eprintln!("tollkeeper-ingestor: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<(Lifecycle, LogGuard), StartError> {
    tls::choose_cryptography();
    let settings = IngestorSettings::read(&Source::from_process(Binary::Ingestor)?)?;
    let log = logging::init(&settings.log)?;
    let shown = metrics::install(Service::Ingestor)?;
    let instance = SystemEntropy.uuid_v7(SystemClock.now()).to_string();
    let traced = traces::set_up(&settings.traces, Service::Ingestor, &instance)?;
    let (traces, export) = traced.unzip();
    let lifecycle = Lifecycle::new();
    let health = Health::new(lifecycle.stopping());
    let postgres = health.component("postgres", Need::Required);
    let broker = health.component("nats", Need::Required);

    let listener = InternalServer::bind(settings.internal, health, shown.clone()).await?;
    tracing::info!(address = %listener.address()?, "health and metrics");
    let pool = pool(
        &settings.database,
        &PoolShape::new("tollkeeper-ingestor", 4).copying(),
    )?;
    shown.add_pool("main", pool.clone());
    let client = nats::connect(&settings.broker, "tollkeeper-ingestor", broker.clone()).await?;

    lifecycle.spawn_support("internal listener", |stop| listener.serve(stop));
    lifecycle.spawn_support("metrics upkeep", |stop| metrics::upkeep(shown, stop));
    let spawner = lifecycle.spawner();
    if let Some(export) = export {
        lifecycle.spawn_support("traces", |stop| export.run(stop));
    }
    let retention_days = settings.retention_days;
    let rollup_retention_days = settings.rollup_retention_days;
    lifecycle.spawn("usage", move |stop| async move {
        if let Err(reason) = connect_patiently(&pool, &postgres, &stop).await {
            // Asked to stop while waiting is an orderly end, anything else is not.
            return if stop.is_cancelled() {
                Ok(())
            } else {
                Err(reason)
            };
        }
        let clock: SharedClock = Arc::new(SystemClock);
        let partitions = Arc::new(Partitions::new(pool.clone()));
        let upkeep = Arc::clone(&partitions);
        spawner.work("partition upkeep", {
            let clock = Arc::clone(&clock);
            move |stop| keep_partitions(upkeep, clock, retention_days, stop)
        });
        spawner.work("rollup upkeep", {
            let (pool, clock) = (pool.clone(), Arc::clone(&clock));
            move |stop| keep_rollups(pool, clock, rollup_retention_days, stop)
        });
        spawner.work("balance upkeep", {
            let (pool, clock) = (pool.clone(), Arc::clone(&clock));
            move |stop| keep_balances(pool, clock, stop)
        });
        spawner.work("upkeep of report ids", {
            let (pool, clock) = (pool.clone(), Arc::clone(&clock));
            move |stop| keep_report_ids(pool, clock, stop)
        });
        spawner.work("audit", {
            let (pool, clock) = (pool.clone(), Arc::clone(&clock));
            move |stop| keep_auditing(pool, clock, rollup_retention_days, stop)
        });
        spawner.work("watch of the connection", {
            let (pool, postgres) = (pool.clone(), postgres.clone());
            move |stop| watch_connection(pool, postgres, stop)
        });
        spawner.work("watch of the tables", {
            let (pool, clock) = (pool.clone(), Arc::clone(&clock));
            move |stop| watch_database(pool, clock, stop)
        });
        spawner.work("watch of the broker", {
            let client = client.clone();
            move |stop| watch_broker(client, stop)
        });
        let settler = || {
            let (pool, clock) = (pool.clone(), Arc::clone(&clock));
            Settler::new(pool, clock, Arc::clone(&partitions), retention_days)
        };
        spawner.work("replay of dead letters", {
            let settler = settler();
            move |stop| replay_dead_letters(settler, stop)
        });
        spawner.work("reports of usage", {
            let settler = settler();
            move |stop| count_reports(settler, stop)
        });
        let settler = settler();
        Consumer::new(client, settler, postgres, broker)
            .traced(traces)
            .run(stop)
            .await;
        Ok(())
    });
    Ok((lifecycle, log))
}
