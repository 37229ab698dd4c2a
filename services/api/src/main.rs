//! `tollkeeper-api`: puts the parts together and runs them until it is told to stop.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tollkeeper_ambient::{SharedClock, SharedEntropy, SystemClock, SystemEntropy};
use tollkeeper_api::background::{self, deletions, expiry, revocations};
use tollkeeper_api::history::News;
use tollkeeper_api::replica::Replica;
use tollkeeper_api::seal::Sealer;
use tollkeeper_api::settings::ApiSettings;
use tollkeeper_api::{
    AccountReads, App, Audience, Commands, JwtPolicy, Measures, Parts, Roll, SignedBy, audit,
    event_traces, ext_authz, history, idempotency, leaks, listener, readiness, relay, replica,
    webhooks,
};
use tollkeeper_authn::postgres::{Node, PostgresSource};
use tollkeeper_authn::{Engine, EngineConfig, exchange, hints};
use tollkeeper_event_store::Writer;
use tollkeeper_runtime::database::{self, PoolShape};
use tollkeeper_runtime::health::{Health, InternalServer, Need};
use tollkeeper_runtime::lifecycle::Lifecycle;
use tollkeeper_runtime::logging::LogGuard;
use tollkeeper_runtime::{logging, metrics, nats, tls, traces};
use tollkeeper_telemetry::Service;
use tollkeeper_usage::{
    PostgresLedger, PostgresMarks, Publisher, PublisherSettings, Reporter, Scrubber, Spool,
};

/// How long requests, the writer and the publisher may take to finish after a signal.
const GRACE: Duration = Duration::from_secs(20);

/// The part of it that the publisher may take: the spool keeps what is left.
const DRAIN_SPOOL: Duration = Duration::from_secs(5);

/// The writer appends one group at a time; the second connection is for when one is given up.
const WRITER_CONNECTIONS: u32 = 2;

/// Connections for the rest of management; look-ups of verification have their own.
const MANAGEMENT_CONNECTIONS: u32 = 8;

/// Connections for what nodes without a database ask.
const NODE_CONNECTIONS: u32 = 4;

/// Connections for questions about usage, each of which may keep one for seconds.
const USAGE_CONNECTIONS: u32 = 4;

/// Connections for reports of usage, each of which is a statement of its own.
const REPORT_CONNECTIONS: u32 = 2;

/// Connections for the deliveries of webhooks.
const DELIVERY_CONNECTIONS: u32 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    match start().await {
        Ok((lifecycle, _log)) => lifecycle.run_until_stopped(GRACE).await,
        Err(error) => {
            tracing::error!(%error, "cannot start");
            // The log may not be set up yet, or be filtered.
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// The name of this machine, as far as it tells.
fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "unnamed".to_owned(),
        name => name.to_owned(),
    }
}

#[allow(
    clippy::print_stderr,
    reason = "a process that cannot start has nowhere else to say why"
)]
fn complain(why: &str) {
    eprintln!("tollkeeper-api cannot start: {why}");
}

async fn start() -> Result<(Lifecycle, LogGuard), Box<dyn std::error::Error>> {
    tls::choose_cryptography();
    let settings = ApiSettings::from_process()?;
    let log = logging::init(&settings.log)?;
    let shown = metrics::install(Service::Api)?;
    let brand = settings.brand()?;
    if let Some(leaks) = settings.leaks() {
        leaks::keys::Keys::read(&leaks.keys)
            .map_err(|error| format!("TOLLKEEPER_LEAK_KEYS: {error}"))?;
    }
    let legacy = settings
        .legacy(&brand)
        .map_err(|error| format!("TOLLKEEPER_LEGACY_TOKEN_SHAPES: {error}"))?;
    let scrubber = Scrubber::new(legacy.clone());
    let clock: SharedClock = Arc::new(SystemClock);
    let entropy: SharedEntropy = Arc::new(SystemEntropy);

    let lifecycle = Lifecycle::new();
    let health = Health::new(lifecycle.stopping());
    // Without Postgres the node goes on verifying what it knows, for as long as the proof allows.
    let postgres = health.component("postgres", Need::Optional);
    let broker_ready = health.component("nats", Need::Optional);
    let proof = health.component("proof", Need::Required);
    let warm = health.component("warm_start", Need::Required);
    let spool_ready = health.component("spool", settings.spool_need());

    let internal = InternalServer::bind(settings.internal, health, shown.clone()).await?;
    let connections = listener::places(settings.listen.connections);
    let public = TcpListener::bind(settings.listen.address)
        .await
        .map_err(|error| format!("TOLLKEEPER_LISTEN {}: {error}", settings.listen.address))?;
    let grpc = match settings.listen.grpc {
        Some(address) => Some(
            TcpListener::bind(address)
                .await
                .map_err(|error| format!("TOLLKEEPER_GRPC_LISTEN {address}: {error}"))?,
        ),
        None => None,
    };
    let identity = match settings.listen.tls.clone() {
        Some(files) => Some(listener::Identity::read(files)?),
        None => None,
    };
    let jwt = settings
        .jwt(&clock)
        .map_err(|error| format!("TOLLKEEPER_JWT_JWKS: {error}"))?;
    let oidc = settings.oidc()?;
    let keys = match &jwt {
        Some(JwtPolicy {
            signed: SignedBy::PublicKeys(keys),
            ..
        }) => Some(keys.clone()),
        _ => None,
    };
    let spool = Spool::open(
        settings.spool(scrubber.clone()),
        clock.clone(),
        entropy.clone(),
    )?;
    let shape = PoolShape::new("tollkeeper-api", MANAGEMENT_CONNECTIONS);
    let pool = database::pool(&settings.database, &shape)?;
    let broker = nats::connect(&settings.broker, "tollkeeper-api", broker_ready).await?;

    let preload_tokens = settings.preload_tokens();
    let config = EngineConfig {
        usage_sources: spool.sources(),
        ..settings.engine(brand.clone(), legacy)
    };
    let options = database::connect_options(&settings.database, "tollkeeper-api verification")?;
    let in_flight = u32::try_from(config.fill.in_flight)?;
    let node = Node {
        id: entropy.uuid_v7(clock.now()),
        name: machine(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        registrar: None,
    };
    let node_id = node.id;
    let traced = traces::set_up(&settings.traces, Service::Api, &node_id.to_string())?;
    let (traces, export) = traced.unzip();
    let roll = Roll::new(node.id, pool.clone(), clock.clone());
    let source = Arc::new(PostgresSource::new(node, options, in_flight));
    let engine = Arc::new(Engine::new(config, source, clock.clone()));
    // Changes must not wait behind lists and searches.
    let writing = PoolShape::new("tollkeeper-api writer", WRITER_CONNECTIONS);
    let writer_pool = database::pool(&settings.database, &writing)?;
    let (writer, handle) = Writer::new(writer_pool.clone());
    // Nor behind what is delivered.
    let delivering = PoolShape::new("tollkeeper-api webhooks", DELIVERY_CONNECTIONS);
    let delivery_pool = database::pool(&settings.database, &delivering)?;
    let serving_nodes = PoolShape::new("tollkeeper-api nodes", NODE_CONNECTIONS);
    let node_pool = database::pool(&settings.database, &serving_nodes)?;
    let answering = PoolShape::new("tollkeeper-api usage", USAGE_CONNECTIONS);
    let usage_pool = database::pool(&settings.database, &answering)?;
    let replica = match &settings.replica {
        Some(replica) => {
            let answering = PoolShape::new("tollkeeper-api usage", USAGE_CONNECTIONS + 1);
            let pool = database::pool(replica, &answering)
                .map_err(|error| format!("TOLLKEEPER_REPLICA_URL: {error}"))?;
            shown.add_pool("replica", pool.clone());
            Some(Arc::new(Replica::new(pool)))
        }
        None => None,
    };
    let taking_in = PoolShape::new("tollkeeper-api reports", REPORT_CONNECTIONS);
    let report_pool = database::pool(&settings.database, &taking_in)?;
    for (name, pool) in [
        ("main", &pool),
        ("writer", &writer_pool),
        ("webhooks", &delivery_pool),
        ("nodes", &node_pool),
        ("usage", &usage_pool),
        ("reports", &report_pool),
    ] {
        shown.add_pool(name, pool.clone());
    }
    let news = News::new(lifecycle.stopping());
    let commands = Commands::new(
        pool.clone(),
        handle,
        Audience {
            engine: engine.clone(),
            broker: Some(broker.clone()),
            news: news.clone(),
        },
        clock.clone(),
        entropy.clone(),
        settings.token_limit(),
    )
    .traced(traces.clone());
    let reporter = Reporter {
        id: node_id,
        name: machine(),
        started_at: clock.now(),
    };
    let ledger = Arc::new(PostgresLedger::new(pool.clone()));
    let publisher = Publisher::new(
        spool.clone(),
        broker.clone(),
        ledger,
        PublisherSettings::default(),
    )
    .of_node(node_id, traces.clone());
    let measures = Measures::new();
    measures.show(&shown);
    let app = App::new(Parts {
        commands,
        news: news.clone(),
        roll,
        node_pool,
        usage_pool,
        replica: replica.clone(),
        report_pool,
        pool: pool.clone(),
        engine: engine.clone(),
        account_reads: AccountReads::default(),
        spool,
        clock,
        sealer: Sealer::new(&settings.seal.keys, entropy.clone()),
        entropy,
        refusals: audit::Refusals::new(),
        measures,
        traces: traces.clone(),
        policy: settings.policy(brand, scrubber, jwt, oidc),
    });

    lifecycle.spawn_support("internal listener", |stop| internal.serve(stop));
    lifecycle.spawn_support("metrics upkeep", |stop| metrics::upkeep(shown, stop));
    if let Some(export) = export {
        lifecycle.spawn_support("traces", |stop| export.run(stop));
        let noted = pool.clone();
        lifecycle.spawn("traces of events", |stop| event_traces::upkeep(noted, stop));
    }
    lifecycle.spawn_support("event writer", |stop| writer.run(stop));
    lifecycle.spawn_support("publisher", |stop| async move {
        let drained = publisher.run(stop, DRAIN_SPOOL).await;
        tracing::info!(
            complete = drained.complete,
            "the spool is drained as far as it goes"
        );
    });
    let marks = Arc::new(PostgresMarks::new(app.pool.clone()));
    let marked = app.spool.clone();
    lifecycle.spawn_support("usage marks", |stop| reporter.run(marked, marks, stop));
    if let Some(keys) = keys {
        lifecycle.spawn_support("keys of JWTs", |stop| keys.run(stop));
    }
    lifecycle.spawn_support("verification", |stop| engine.clone().run(stop));
    let (warming, most) = (engine.clone(), preload_tokens);
    lifecycle.spawn("warm start", move |stop| {
        readiness::warm_up(warming, most, warm, stop)
    });
    let watched = (engine.clone(), pool.clone());
    lifecycle.spawn_support("log watch", |stop| {
        history::watch(watched.0, watched.1, news, stop)
    });
    let watched = engine.clone();
    lifecycle.spawn_support("proof watch", |stop| {
        readiness::watch_proof(watched, proof, stop)
    });
    let watched = app.spool.clone();
    lifecycle.spawn_support("spool watch", |stop| {
        readiness::watch_spool(watched, spool_ready, stop)
    });
    if let Some(replica) = replica {
        let (primary, clock) = (app.pool.clone(), app.clock.clone());
        lifecycle.spawn_support("replica watch", |stop| {
            replica::watch(replica, primary, clock, stop)
        });
    }
    lifecycle.spawn_support("postgres watch", |stop| {
        readiness::watch_postgres(pool, postgres, stop)
    });
    let relayed = (
        app.pool.clone(),
        nats::jetstream(&broker),
        app.clock.clone(),
    );
    let related = traces.clone();
    lifecycle.spawn("relay", |stop| {
        relay::run(relayed.0, relayed.1, relayed.2, related, stop)
    });
    let kept = app.pool.clone();
    lifecycle.spawn("kept answers", |stop| idempotency::upkeep::run(kept, stop));
    let deliveries = webhooks::delivery::Worker::new(
        delivery_pool,
        app.sealer.clone(),
        &app.policy.webhook_networks,
        app.policy.scrubber.clone(),
        app.clock.clone(),
        app.entropy.clone(),
    )?
    .traced(traces);
    lifecycle.spawn("webhooks", |stop| deliveries.run(stop));
    let telling = app.clone();
    lifecycle.spawn("expiry notices", |stop| expiry::run(telling, stop));
    let working = app.clone();
    lifecycle.spawn("revocations", |stop| revocations::run(working, stop));
    let swept = app.clone();
    lifecycle.spawn("account deletions", |stop| deletions::run(swept, stop));
    let kept = app.clone();
    lifecycle.spawn("audit retention", |stop| background::audit::run(kept, stop));
    let kept = app.clone();
    lifecycle.spawn("console upkeep", |stop| {
        background::console::run(kept, stop)
    });
    let told = app.clone();
    lifecycle.spawn_support("audit log", |stop| audit::writer::run(told, node_id, stop));
    let shared = (broker.clone(), engine.clone());
    lifecycle.spawn_support("rate limits of other nodes", |stop| {
        exchange::run(shared.0, shared.1, node_id, stop)
    });
    lifecycle.spawn("hints", |stop| hints::listen(broker, engine, stop));
    if let Some(grpc) = grpc {
        let app = app.clone();
        lifecycle.spawn("gRPC listener", |stop| ext_authz::serve(grpc, app, stop));
    }
    if let Some(identity) = identity.clone() {
        lifecycle.spawn_support("certificate", |stop| identity.follow(stop));
    }
    lifecycle.spawn("public listener", move |stop| {
        listener::serve(public, app, connections, identity, stop)
    });
    Ok((lifecycle, log))
}
