//! What a gate is made of. Nothing is read from the environment: a service has its own ways.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tollkeeper_ambient::{SharedClock, SharedEntropy, SystemClock, SystemEntropy};
use tollkeeper_authn::EngineConfig;
use tollkeeper_domain::secret::Brand;
use tollkeeper_runtime::settings::{
    BrokerSettings, DatabaseSettings, NetworkList, Secret, UsageIp,
};
use tollkeeper_usage::SpoolSettings;

/// Whose forwarded headers are believed if nothing else is said: the loopback.
const LOOPBACK: &str = "127.0.0.0/8,::1/128";

/// How long usage may take to leave at the end.
const DRAIN: Duration = Duration::from_secs(5);

/// Where tokens and the log of events are read.
#[derive(Debug, Clone)]
pub enum Source {
    /// The primary itself, with a login that is a member of the role `tollkeeper_gate`.
    Postgres(DatabaseSettings),
    /// The API, which reads the primary for nodes that have no database.
    Api {
        /// Where it is, such as `https://tollkeeper.example.com`.
        url: String,
        /// A token of a system account with the scope `tollkeeper:verify`, or an operator key.
        credential: Secret,
    },
}

impl Source {
    /// The primary at a `postgres://` URL.
    #[must_use]
    pub fn postgres(url: impl Into<String>) -> Self {
        Self::Postgres(DatabaseSettings {
            url: Secret::new(url),
        })
    }

    /// The API at this address, asked with a token of a system account with the scope
    /// `tollkeeper:verify`.
    #[must_use]
    pub fn api(url: impl Into<String>, token: impl Into<String>) -> Self {
        Self::Api {
            url: url.into(),
            credential: Secret::new(token),
        }
    }
}

/// How a [`Gate`](crate::Gate) is set up. [`GateConfig::new`] has the documented defaults.
#[derive(Clone)]
pub struct GateConfig {
    /// What `GET /v1/nodes` calls this node: the service, or the machine.
    pub name: String,
    /// Where tokens are read.
    pub source: Source,
    /// The broker. It brings hints, which make revocations arrive sooner, carries what nodes tell one
    /// another of rate limits, and takes the usage. It may be away, also at the start; it is not
    /// optional, because usage that never leaves fills the spool.
    pub nats: BrokerSettings,
    /// The engine: brand, imported shapes, memory, what to do when the proof is old. Its usage sources are
    /// those of the spool, whatever they say.
    pub engine: EngineConfig,
    /// The spool: its folder, which no other process may use, its size, and what to do when it is
    /// full. Its scrubber is made of the engine's shapes.
    pub spool: SpoolSettings,
    /// Whose `X-Forwarded-For` is believed: the loopback if nothing else is said.
    pub trusted_proxies: NetworkList,
    /// How much of a client's address is kept.
    pub usage_ip: UsageIp,
    /// How long usage may take to leave when the gate shuts down; the spool keeps the rest.
    pub drain_for: Duration,
    /// Tells the time.
    pub clock: SharedClock,
    /// Makes ids.
    pub entropy: SharedEntropy,
}

impl GateConfig {
    /// A gate named `name` that reads tokens of `brand` from `source` and keeps usage for the broker
    /// at `nats` in the folder `spool`.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        source: Source,
        nats: impl Into<String>,
        brand: Brand,
        spool: impl Into<PathBuf>,
    ) -> Self {
        Self {
            name: name.into(),
            source,
            nats: BrokerSettings {
                servers: Secret::new(nats),
                credentials: None,
                authorities: None,
            },
            engine: EngineConfig::new(brand),
            spool: SpoolSettings::new(spool),
            trusted_proxies: LOOPBACK.parse().expect("two networks"),
            usage_ip: UsageIp::Full,
            drain_for: DRAIN,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        }
    }
}

impl fmt::Debug for GateConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateConfig")
            .field("name", &self.name)
            .field("source", &self.source)
            .field("nats", &self.nats)
            .field("engine", &self.engine)
            .field("spool", &self.spool)
            .finish_non_exhaustive()
    }
}
