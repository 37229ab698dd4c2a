//! The whole of Tollkeeper as its users run it: the real programs, against a private Postgres and
//! a private NATS. Each program logs into the database as a member of its own role.

mod node;
mod person;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

use async_nats::jetstream::{consumer::pull, stream};
pub use node::Node;
pub use person::{Answer, Person};
pub use rustix::process::Signal;
use sqlx::PgPool;
use tempfile::TempDir;
use tollkeeper_embedded::postgres::Durability;

use crate::folder::temporary;
use crate::postgres;
use crate::{PrivatePostgres, SmallDisk, TestCluster, TestDatabase, TestNats};

/// The key that every API of a stack knows as the operator `test`.
pub const OPERATOR_KEY: &str = "an-operator-key-for-tests-0123456789";

/// A database, a broker, and the programs that run against them. All end with it.
#[derive(Debug)]
pub struct Stack<B = TestNats> {
    /// The primary.
    pub database: TestDatabase,
    /// The broker.
    pub nats: B,
    folder: TempDir,
    database_url: String,
    nats_url: String,
    nodes: usize,
    server: Option<PrivatePostgres>,
}

impl Stack {
    /// A database and a broker with its streams applied, and no program yet.
    ///
    /// # Panics
    /// When one of them does not start.
    pub async fn bare() -> Self {
        let nats = TestNats::start().await;
        apply_streams(&nats).await;
        let url = nats.url();
        Self::of(TestDatabase::create().await, None, nats, url)
    }

    /// As [`Stack::bare`], with every commit and every acknowledged message on the disk, as in
    /// production. For measurements.
    ///
    /// # Panics
    /// When one of them does not start.
    pub async fn as_in_production() -> Self {
        let (database, server) = database_of_its_own(Durability::Full).await;
        let nats = TestNats::start_as_shipped().await;
        apply_streams(&nats).await;
        let url = nats.url();
        Self::of(database, Some(server), nats, url)
    }

    /// As [`Stack::bare`], with a database server that no other test uses: see [`Stack::server`].
    ///
    /// # Panics
    /// When one of them does not start.
    pub async fn with_own_server() -> Self {
        let (database, server) = database_of_its_own(Durability::None).await;
        let nats = TestNats::start().await;
        apply_streams(&nats).await;
        let url = nats.url();
        Self::of(database, Some(server), nats, url)
    }

    /// As [`Stack::bare`], with a broker that knows its users and lets nobody else in, and without
    /// streams. Programs have to be told as whom they connect: see [`TestNats::url_of`].
    ///
    /// # Panics
    /// When one of them does not start.
    pub async fn with_users() -> Self {
        let nats = TestNats::start_with_users().await;
        let url = nats.url();
        Self::of(TestDatabase::create().await, None, nats, url)
    }

    /// Makes the streams and the consumer that are missing, by the definitions that are shipped.
    ///
    /// # Panics
    /// When the broker does not take them.
    pub async fn apply_streams(&self) {
        apply_streams(&self.nats).await;
    }

    /// Has programs that start from now on reach the broker through this proxy.
    pub fn nats_through(&mut self, proxy: SocketAddr) {
        self.nats_url = format!("nats://{proxy}");
    }
}

impl Stack<TestCluster> {
    /// As [`Stack::as_in_production`], with a cluster as the broker. It has no streams yet.
    ///
    /// # Panics
    /// When one of the servers does not start.
    pub async fn on_a_cluster() -> Self {
        let ((database, server), nats) =
            tokio::join!(database_of_its_own(Durability::Full), TestCluster::start());
        let url = nats.url();
        Self::of(database, Some(server), nats, url)
    }
}

impl<B> Stack<B> {
    fn of(
        database: TestDatabase,
        server: Option<PrivatePostgres>,
        nats: B,
        nats_url: String,
    ) -> Self {
        Self {
            database_url: database.url.clone(),
            nats_url,
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

    /// Has programs that start from now on reach the database through this proxy.
    pub fn database_through(&mut self, proxy: SocketAddr) {
        self.database_url = self.database.url_through(proxy);
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
        let spool = format!("spool-{}", self.nodes + 1);
        let spool = self.folder.path().join(spool);
        self.api_with(Vec::new(), &spool, settings)
    }

    /// Starts an API that has its spool on `disk`, without waiting for it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn starting_api_on(&mut self, disk: &SmallDisk, settings: &[(&str, &str)]) -> Node {
        self.api_with(disk.enter(), &disk.path().join("spool"), settings)
    }

    fn api_with(&mut self, within: Vec<OsString>, spool: &Path, settings: &[(&str, &str)]) -> Node {
        let own = [
            ("TOLLKEEPER_OPERATOR_KEY", format!("test:{OPERATOR_KEY}")),
            ("TOLLKEEPER_SPOOL_DIR", spool.display().to_string()),
        ];
        self.start("tollkeeper-api", within, own.into(), settings)
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
        self.start("tollkeeper-ingestor", Vec::new(), Vec::new(), settings)
    }

    fn start(
        &mut self,
        program: &'static str,
        within: Vec<OsString>,
        mut own: Vec<(&'static str, String)>,
        settings: &[(&str, &str)],
    ) -> Node {
        self.nodes += 1;
        let role = match program {
            "tollkeeper-api" => "tollkeeper_api",
            _ => "tollkeeper_ingestor",
        };
        let database_url = postgres::url_of(&self.database_url, role);
        own.push(("TOLLKEEPER_DATABASE_URL", database_url));
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
        Node::start(program, within, all, log)
    }
}

/// A server of its own, and its database.
async fn database_of_its_own(durability: Durability) -> (TestDatabase, PrivatePostgres) {
    let server = PrivatePostgres::start(durability).await;
    let pool = PgPool::connect(&server.url())
        .await
        .expect("the server is running");
    let database = TestDatabase {
        url: server.url(),
        pool,
    };
    (database, server)
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
