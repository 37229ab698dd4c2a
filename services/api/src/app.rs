//! What every handler has at hand.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use tollkeeper_ambient::{SharedClock, SharedEntropy};
use tollkeeper_authn::Engine;
use tollkeeper_domain::secret::Brand;
use tollkeeper_runtime::settings::{LeakSettings, NetworkList, OperatorKey, UsageIp};
use tollkeeper_telemetry::trace::Traces;
use tollkeeper_usage::{Scrubber, Spool};
use uuid::Uuid;

use crate::audit::Refusals;
use crate::caller::jwt::JwtPolicy;
use crate::commands::Commands;
use crate::console::Provider;
use crate::history::News;
use crate::measures::Measures;
use crate::nodes::Roll;
use crate::replica::Replica;
use crate::seal::Sealer;
use crate::verification::account::AccountReads;

/// The parts of a running API. Clones share them.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What [`App`] is made of.
pub struct Parts {
    /// Changes tokens and accounts.
    pub commands: Commands,
    /// Wakes those who wait for the log to go on.
    pub news: Arc<News>,
    /// Reads them.
    pub pool: PgPool,
    /// Reads the primary for nodes without a database. Nothing else waits for its connections.
    pub node_pool: PgPool,
    /// Reads usage. Questions about it may take long, and nothing else waits for its connections.
    pub usage_pool: PgPool,
    /// Reads usage in its place, as long as it is not far behind; none if there is none.
    pub replica: Option<Arc<Replica>>,
    /// Takes in reports of usage, which may be large. Nothing else waits for its connections.
    pub report_pool: PgPool,
    /// Knows the nodes.
    pub roll: Roll,
    /// Checks tokens.
    pub engine: Arc<Engine>,
    /// Bounds what JWTs at proxies read of accounts.
    pub account_reads: AccountReads,
    /// Takes in usage.
    pub spool: Arc<Spool>,
    /// Tells the time.
    pub clock: SharedClock,
    /// Makes ids and secrets.
    pub entropy: SharedEntropy,
    /// Seals secrets at rest; none if no key is configured.
    pub sealer: Option<Sealer>,
    /// Sums up what is refused.
    pub refusals: Refusals,
    /// Counts what is asked and answered.
    pub measures: Measures,
    /// Records what belongs to one request; none if nobody is to be told.
    pub traces: Option<Traces>,
    /// What the API was told to be.
    pub policy: Policy,
}

/// What the API was told to be.
#[derive(Debug)]
pub struct Policy {
    /// First part of every issued token.
    pub brand: Brand,
    /// Takes tokens out of what is told and logged.
    pub scrubber: Scrubber,
    /// The longest expiry that may be asked for; none if tokens need not expire.
    pub longest_lifetime: Option<TimeDelta>,
    /// How the public listener is asked: `http` or `https`.
    pub scheme: &'static str,
    /// Who may do everything.
    pub operators: Vec<OperatorKey>,
    /// What an account's JWT must prove; none if JWTs are off.
    pub jwt: Option<JwtPolicy>,
    /// Who people may sign in to the console with beside their passwords; none if there is nobody.
    pub oidc: Option<Arc<Provider>>,
    /// Whose forwarded headers are believed.
    pub trusted_proxies: NetworkList,
    /// How much of a client's address is kept.
    pub usage_ip: UsageIp,
    /// How long single requests are kept.
    pub usage_retention: TimeDelta,
    /// How long the audit log is kept.
    pub audit_retention: TimeDelta,
    /// Whose reports of leaked tokens are believed; none if they are not taken.
    pub leaks: Option<LeakSettings>,
    /// Where webhooks may be sent to beside public addresses.
    pub webhook_networks: NetworkList,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("App")
    }
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Parts {
    /// The time, cut to microseconds.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A new time-ordered id.
    pub(crate) fn new_id(&self) -> Uuid {
        self.entropy.uuid_v7(self.clock.now())
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
