//! The whole of Tollkeeper as its users run it: the real programs, against a private Postgres and
//! a private NATS.

mod node;
mod person;

use std::net::SocketAddr;

use async_nats::jetstream::{consumer::pull, stream};
pub use node::Node;
pub use person::{Answer, Person};
pub use rustix::process::Signal;
use sqlx::PgPool;
use tempfile::TempDir;
use tollkeeper_embedded::postgres::Durability;

use crate::folder::temporary;
use crate::{PrivatePostgres, TestDatabase, TestNats};

/// The key that every API of a stack knows as the operator `test`.
pub const OPERATOR_KEY: &str = "an-operator-key-for-tests-0123456789";

/// A database, a broker, and the programs that run against them. All end with it.
#[derive(Debug)]
pub struct Stack {
    /// The primary.
    pub database: TestDatabase,
    /// The broker, its streams applied.
    pub nats: TestNats,
    folder: TempDir,
    database_url: String,
    nats_url: String,
    nodes: usize,
    server: Option<PrivatePostgres>,
}

impl Stack {
    /// A database and a broker, and no program yet.
    ///
    /// # Panics
    /// When one of them does not start.
    pub async fn bare() -> Self {
        Self::of(TestDatabase::create().await, None, TestNats::start().await).await
    }

    /// As [`Stack::bare`], with every commit and every acknowledged message on the disk, as in
    /// production. For measurements.
    ///
    /// # Panics
    /// When one of them does not start.
    pub async fn as_in_production() -> Self {
        let server = PrivatePostgres::start(Durability::Full).await;
        let pool = PgPool::connect(&server.url())
            .await
            .expect("the server is running");
        let database = TestDatabase {
            url: server.url(),
            pool,
        };
        Self::of(database, Some(server), TestNats::start_as_shipped().await).await
    }

    async fn of(database: TestDatabase, server: Option<PrivatePostgres>, nats: TestNats) -> Self {
        apply_streams(&nats).await;
        Self {
            database_url: database.url.clone(),
            nats_url: nats.url(),
            database,
            nats,
            folder: temporary(),
            nodes: 0,
            server,
        }
    }

    /// The server of its own that the database is on, to be killed.
    ///
    /// # Panics
    /// When it shares one with other tests: see [`Stack::as_in_production`].
    pub fn server(&mut self) -> &mut PrivatePostgres {
        self.server.as_mut().expect("a server of its own")
    }

    /// Makes the streams and the consumer that are missing, by the definitions that are shipped.
    ///
    /// # Panics
    /// When the broker does not take them.
    pub async fn apply_streams(&self) {
        apply_streams(&self.nats).await;
    }

    /// Has programs that start from now on reach the database through this proxy.
    pub fn database_through(&mut self, proxy: SocketAddr) {
        self.database_url = self.database.url_through(proxy);
    }

    /// Has programs that start from now on reach the broker through this proxy.
    pub fn nats_through(&mut self, proxy: SocketAddr) {
        self.nats_url = format!("nats://{proxy}");
    }

    /// Starts an API with a spool of its own and these settings on top, and waits until it is
    /// ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn api(&mut self, settings: &[(&str, &str)]) -> Node {
        let node = self.starting_api(settings);
        node.ready().await;
        node
    }

    /// Starts an API without waiting for it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn starting_api(&mut self, settings: &[(&str, &str)]) -> Node {
        self.nodes += 1;
        let spool = self.folder.path().join(format!("spool-{}", self.nodes));
        let own = [
            ("TOLLKEEPER_OPERATOR_KEY", format!("test:{OPERATOR_KEY}")),
            ("TOLLKEEPER_SPOOL_DIR", spool.display().to_string()),
        ];
        self.start("tollkeeper-api", own.into(), settings)
    }

    /// Starts an ingestor and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn ingestor(&mut self, settings: &[(&str, &str)]) -> Node {
        let node = self.starting_ingestor(settings);
        node.ready().await;
        node
    }

    /// Starts an ingestor without waiting for it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn starting_ingestor(&mut self, settings: &[(&str, &str)]) -> Node {
        self.nodes += 1;
        self.start("tollkeeper-ingestor", Vec::new(), settings)
    }

    fn start(
        &self,
        program: &'static str,
        mut own: Vec<(&'static str, String)>,
        settings: &[(&str, &str)],
    ) -> Node {
        own.push(("TOLLKEEPER_DATABASE_URL", self.database_url.clone()));
        own.push(("TOLLKEEPER_NATS_URL", self.nats_url.clone()));
        let mut all: Vec<(String, String)> = own
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        all.extend(
            settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let log = self
            .folder
            .path()
            .join(format!("{program}-{}.log", self.nodes));
        Node::start(program, all, log)
    }
}

/// Applies the definitions that are shipped, as `tollkeeper nats apply` does.
async fn apply_streams(nats: &TestNats) {
    let broker = async_nats::jetstream::new(nats.client().await);
    for definition in [
        include_str!("../../../nats/streams/LIFECYCLE.json"),
        include_str!("../../../nats/streams/USAGE.json"),
    ] {
        let config: stream::Config = serde_json::from_str(definition).expect("a stream's file");
        broker
            .create_stream(config)
            .await
            .expect("the broker takes the stream");
    }
    let consumer = include_str!("../../../nats/consumers/USAGE.ingestor.json");
    let config: pull::Config = serde_json::from_str(consumer).expect("a consumer's file");
    let usage = broker
        .get_stream("USAGE")
        .await
        .expect("the stream is there");
    usage
        .create_consumer(config)
        .await
        .expect("the broker takes the consumer");
}
