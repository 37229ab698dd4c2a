//! All of Tollkeeper, with Prometheus beside it, in parts that can fail one by one.

use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor, PgPool};
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_testkit::stack::{Node, OPERATOR_KEY};
use tollkeeper_testkit::{FaultProxy, Stack};

use crate::answers::Sources;
use crate::grafana::Range;
use crate::prometheus::{ActiveAlert, Prometheus};

/// Seals secrets of webhooks.
const SEAL_KEY: (&str, &str) = (
    "TOLLKEEPER_SEAL_KEYS",
    "test:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
);

/// Lets webhooks be sent to this machine.
const LOOPBACK: (&str, &str) = ("TOLLKEEPER_WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8");

/// How long it is waited for an alert at most: it only bounds how long a broken test hangs.
const GLANCES: u32 = 2400;
const GLANCE: Duration = Duration::from_millis(100);

/// Settings of one program.
pub type Settings<'a> = &'a [(&'a str, &'a str)];

/// APIs and an ingestor that reach Postgres through proxies, and the APIs NATS too.
#[derive(Debug)]
pub struct World {
    /// The servers.
    pub stack: Stack,
    /// The APIs.
    pub apis: Vec<Node>,
    /// The ingestor.
    pub ingestor: Node,
    /// Who watches.
    pub prometheus: Prometheus,
    /// The APIs' way to Postgres.
    pub to_database: FaultProxy,
    /// The ingestor's way to Postgres.
    pub ingestor_to_database: FaultProxy,
    /// The APIs' way to NATS.
    pub to_broker: FaultProxy,
    /// The database, with the rights that Grafana has.
    dashboards: PgPool,
    started: DateTime<Utc>,
}

impl World {
    /// Starts an API with each of these settings, an ingestor and Prometheus.
    ///
    /// # Panics
    /// When one of them does not become ready.
    pub async fn start(apis: &[Settings<'_>]) -> Self {
        let mut stack = Stack::bare().await;
        let database = stack.database.tcp_address();
        let to_database = FaultProxy::start(database).await;
        let ingestor_to_database = FaultProxy::start(database).await;
        let to_broker = FaultProxy::start(stack.nats.address()).await;
        stack.database_through(ingestor_to_database.address());
        let ingestor = stack.ingestor(&[]).await;
        stack.database_through(to_database.address());
        stack.nats_through(to_broker.address());
        let mut started = Vec::with_capacity(apis.len());
        for settings in apis {
            let settings = [&[SEAL_KEY, LOOPBACK], *settings].concat();
            started.push(stack.api(&settings).await);
        }
        let world = Self {
            dashboards: as_dashboards(&stack.database.url),
            stack,
            apis: started,
            ingestor,
            prometheus: Prometheus::start().await,
            to_database,
            ingestor_to_database,
            to_broker,
            started: SystemClock.now(),
        };
        world.watch_all();
        world
    }

    /// Has Prometheus ask every program.
    pub fn watch_all(&self) {
        let apis: Vec<SocketAddr> = self.apis.iter().map(|api| api.internal).collect();
        self.prometheus.watch(&apis, &[self.ingestor.internal]);
    }

    /// The broker, past the proxy.
    pub async fn broker(&self) -> async_nats::jetstream::Context {
        async_nats::jetstream::new(self.stack.nats.client().await)
    }

    /// Whom the panels ask.
    #[must_use]
    pub fn sources(&self) -> Sources<'_> {
        Sources {
            prometheus: &self.prometheus,
            postgres: &self.dashboards,
        }
    }

    /// From the start until now.
    #[must_use]
    pub fn range(&self) -> Range {
        Range {
            from: self.started,
            to: SystemClock.now(),
            scrapes: TimeDelta::seconds(2),
        }
    }

    /// The operator's key, which every API knows.
    #[must_use]
    pub fn operator_key(&self) -> &'static str {
        OPERATOR_KEY
    }

    /// The alert of this name, if it is firing.
    pub async fn firing(&self, alert: &str) -> Option<ActiveAlert> {
        let active = self.prometheus.active_alerts().await;
        active
            .into_iter()
            .find(|it| it.state == "firing" && it.labels["alertname"] == alert)
    }

    /// Waits until an alert fires, and tells what it says.
    ///
    /// # Panics
    /// When it does not, with those that do.
    pub async fn fires(&self, alert: &str) -> ActiveAlert {
        for _ in 0..GLANCES {
            if let Some(found) = self.firing(alert).await {
                return found;
            }
            tokio::time::sleep(GLANCE).await;
        }
        panic!(
            "{alert} does not fire, but {:#?}",
            self.prometheus.active_alerts().await
        )
    }

    /// Waits until an alert does not fire any more.
    ///
    /// # Panics
    /// When it goes on.
    pub async fn clears(&self, alert: &str) {
        for _ in 0..GLANCES {
            if self.firing(alert).await.is_none() {
                return;
            }
            tokio::time::sleep(GLANCE).await;
        }
        panic!("{alert} goes on: {:#?}", self.firing(alert).await)
    }
}

/// Connections that may do what a member of the dashboards' role may.
fn as_dashboards(url: &str) -> PgPool {
    let options = PgPoolOptions::new().max_connections(4);
    let options = options.after_connect(|connection, _| {
        Box::pin(async move {
            connection.execute("set role tollkeeper_dashboards").await?;
            Ok(())
        })
    });
    options.connect_lazy(url).expect("the URL of a database")
}
