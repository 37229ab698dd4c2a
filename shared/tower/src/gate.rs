//! The gate: the engine, the spool and the publisher of one process, and their tasks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tollkeeper_ambient::{SharedClock, SharedEntropy};
use tollkeeper_authn::postgres::{Node, PostgresSource};
use tollkeeper_authn::{Engine, EngineConfig, EngineStatus, TokenSource, exchange, hints};
use tollkeeper_runtime::database::{self, PoolShape};
use tollkeeper_runtime::health::{Health, Need};
use tollkeeper_runtime::nats::{self, NatsError};
use tollkeeper_runtime::settings::{NetworkList, UsageIp};
use tollkeeper_runtime::tls;
use tollkeeper_usage::{
    Drained, LedgerReader, MarkKeeper, PostgresLedger, PostgresMarks, Publisher, PublisherSettings,
    Reporter, Scrubber, Spool, SpoolError, SpoolSettings, SpoolStats,
};
use uuid::Uuid;

use crate::api::{ApiLedger, ApiMarks, ApiSource, Client, ClientError};
use crate::config::{GateConfig, Source};
use crate::layer::GateLayer;

/// How Postgres and NATS name the connections.
const PROGRAM: &str = "tollkeeper-tower";

/// The ledger is asked once a second, and a mark is made.
const USAGE_CONNECTIONS: u32 = 2;

/// Between two tries to be ready.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a gate cannot start. That the database or the broker is away is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The spool cannot be opened.
    #[error("the usage spool cannot be opened")]
    Spool(#[from] SpoolError),
    /// The database's URL cannot be understood.
    #[error("the database's URL cannot be understood")]
    Database(#[from] sqlx::Error),
    /// The API cannot be asked.
    #[error(transparent)]
    Api(#[from] ClientError),
    /// The settings of NATS cannot make a client.
    #[error(transparent)]
    Nats(#[from] NatsError),
}

/// What the layers of a gate share.
pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine>,
    pub(crate) spool: Arc<Spool>,
    pub(crate) clock: SharedClock,
    pub(crate) trusted_proxies: NetworkList,
    pub(crate) usage_ip: UsageIp,
    pub(crate) scrubber: Scrubber,
    entropy: SharedEntropy,
    has_warned: AtomicBool,
}

impl Shared {
    /// A new time-ordered id.
    pub(crate) fn new_id(&self) -> Uuid {
        self.entropy.uuid_v7(self.clock.now())
    }

    /// Says once that the service does not tell where its requests come from.
    pub(crate) fn warn_of_no_address(&self) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "requests come without the address of the other end: serve with \
                 `into_make_service_with_connect_info::<SocketAddr>()`"
            );
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// A running gate. Dropped, it ends as it would with [`Gate::shutdown`], but nobody waits for it.
#[derive(Debug)]
pub struct Gate {
    shared: Arc<Shared>,
    node: Uuid,
    working: DropGuard,
    publishing: DropGuard,
    work: Vec<JoinHandle<()>>,
    publisher: JoinHandle<Drained>,
    ended: CancellationToken,
}

impl Gate {
    /// Opens the spool, which sends what an earlier run left behind, and begins to follow the log.
    /// Database and broker may be away: until the first proof every token is `UNAVAILABLE`.
    ///
    /// # Errors
    /// [`StartError`] if the settings are no good or the spool's folder is in use.
    pub async fn start(config: GateConfig) -> Result<Self, StartError> {
        tls::choose_cryptography();
        let (clock, entropy) = (config.clock.clone(), config.entropy.clone());
        let node = Node {
            id: entropy.uuid_v7(clock.now()),
            name: config.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            registrar: None,
        };
        let id = node.id;
        let reporter = Reporter {
            id,
            name: config.name.clone(),
            started_at: clock.now(),
        };
        let Asked {
            tokens,
            ledger,
            marks,
        } = asked(&config, node)?;
        let working = CancellationToken::new();
        let nats_ready = Health::new(working.clone()).component("nats", Need::Optional);
        let broker = nats::connect(&config.nats, PROGRAM, nats_ready).await?;
        let scrubber = Scrubber::new(config.engine.legacy.clone());
        let spool = SpoolSettings {
            scrubber: scrubber.clone(),
            ..config.spool
        };
        let spool = Spool::open(spool, clock.clone(), entropy.clone())?;
        let engine = EngineConfig {
            usage_sources: spool.sources(),
            ..config.engine
        };
        let engine = Arc::new(Engine::new(engine, tokens, clock.clone()));

        let publishing = CancellationToken::new();
        let ended = CancellationToken::new();
        let work = vec![
            part(
                engine.clone().run(working.clone()),
                "no token can be checked any more",
                &ended,
            ),
            part(
                hints::listen(broker.clone(), engine.clone(), working.clone()),
                "hints are not listened to any more",
                &ended,
            ),
            part(
                exchange::run(broker.clone(), engine.clone(), id, working.clone()),
                "limits of other nodes are not heard of any more",
                &ended,
            ),
            // Nothing depends on it, so its end is not the gate's.
            tokio::spawn(reporter.run(spool.clone(), marks, working.clone())),
        ];
        let settings = PublisherSettings::default();
        let publisher = Publisher::new(spool.clone(), broker, ledger, settings).of_node(id, None);
        let publisher = tokio::spawn({
            let (stop, drain_for) = (publishing.clone(), config.drain_for);
            let ended = ended.clone().drop_guard();
            async move {
                let drained = publisher.run(stop, drain_for).await;
                drop(ended);
                drained
            }
        });
        Ok(Self {
            shared: Arc::new(Shared {
                engine,
                spool,
                clock,
                trusted_proxies: config.trusted_proxies,
                usage_ip: config.usage_ip,
                scrubber,
                entropy,
                has_warned: AtomicBool::new(false),
            }),
            node: id,
            working: working.drop_guard(),
            publishing: publishing.drop_guard(),
            work,
            publisher,
            ended,
        })
    }

    /// A layer that lets tokens pass that work, whatever their scopes and environment.
    #[must_use]
    pub fn layer(&self) -> GateLayer {
        GateLayer::new(Arc::clone(&self.shared))
    }

    /// What `GET /v1/nodes` and receipts call this node; new at each start.
    #[must_use]
    pub const fn node_id(&self) -> Uuid {
        self.node
    }

    /// How far the gate's knowledge can be trusted, how full its memory is, what has happened since
    /// the start. Takes locks: for readiness and metrics, not for each request.
    #[must_use]
    pub fn status(&self) -> EngineStatus {
        self.shared.engine.status()
    }

    /// What the spool holds, what has left, and what it could not take.
    #[must_use]
    pub fn usage(&self) -> SpoolStats {
        self.shared.spool.stats()
    }

    /// Waits for the first proof, or the [end](Self::ended): from the proof on tokens are judged. A
    /// service that serves before is right all the same, and answers 503.
    pub async fn ready(&self) {
        let proven = async {
            while let Err(error) = self.shared.engine.prove().await {
                tracing::debug!(%error, "not ready yet");
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            biased;
            () = self.ended() => {}
            () = proven => {}
        }
    }

    /// Waits until a part of the gate has ended without being asked to, which is a fault of ours.
    /// The service should end then, as nobody repairs it: tokens are `UNAVAILABLE`, or usage stays
    /// in the spool.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Ends: no token is judged any more, nobody waits for this node, and usage is sent for as long as
    /// [`GateConfig::drain_for`]. To be called when the server has answered its last request; what is
    /// counted later is sent after the next start.
    pub async fn shutdown(self) -> Drained {
        drop(self.working);
        for task in self.work {
            if let Err(error) = task.await {
                tracing::error!(%error, "a part of the gate died");
            }
        }
        drop(self.publishing);
        match self.publisher.await {
            Ok(drained) => drained,
            Err(error) => {
                tracing::error!(%error, "the publisher died; usage stays in the spool");
                Drained { complete: false }
            }
        }
    }
}

/// Runs a part without which the gate has [ended](Gate::ended), and says at its fault what that means.
fn part<E: fmt::Display>(
    work: impl Future<Output = Result<(), E>> + Send + 'static,
    lost: &'static str,
    ended: &CancellationToken,
) -> JoinHandle<()> {
    let ended = ended.clone().drop_guard();
    tokio::spawn(async move {
        if let Err(error) = work.await {
            tracing::error!(%error, "{lost}");
        }
        drop(ended);
    })
}

/// Where a gate asks.
struct Asked {
    /// Of tokens and the log.
    tokens: Arc<dyn TokenSource>,
    /// Of what has been counted.
    ledger: Arc<dyn LedgerReader>,
    /// To keep how far usage has got.
    marks: Arc<dyn MarkKeeper>,
}

fn asked(config: &GateConfig, node: Node) -> Result<Asked, StartError> {
    match &config.source {
        Source::Postgres(database) => {
            let in_flight = u32::try_from(config.engine.fill.in_flight).unwrap_or(u32::MAX);
            let options = database::connect_options(database, PROGRAM)?;
            let shape = PoolShape::new(PROGRAM, USAGE_CONNECTIONS);
            let pool = database::pool(database, &shape)?;
            Ok(Asked {
                tokens: Arc::new(PostgresSource::new(node, options, in_flight)),
                ledger: Arc::new(PostgresLedger::new(pool.clone())),
                marks: Arc::new(PostgresMarks::new(pool)),
            })
        }
        Source::Api { url, credential } => {
            let client = Arc::new(Client::new(url, credential)?);
            Ok(Asked {
                tokens: Arc::new(ApiSource::new(client.clone(), node)),
                ledger: Arc::new(ApiLedger(client.clone())),
                marks: Arc::new(ApiMarks(client)),
            })
        }
    }
}
