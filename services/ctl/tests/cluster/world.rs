//! All of Tollkeeper on a cluster of three NATS servers.

use std::process::{Command, Output};

use async_nats::jetstream;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{Stack, TestCluster, wait_for};

use crate::common::hurry_redelivery;
use crate::common::verdict::Court;

/// What an ingestor tells of the events it has counted.
const COUNTED: &str = "tollkeeper_usage_ingested_events_total ";

/// Three APIs and two ingestors, each of which knows all NATS servers.
pub(crate) struct World {
    pub(crate) stack: Stack<TestCluster>,
    pub(crate) apis: [Node; 3],
    pub(crate) ingestors: [Node; 2],
    /// The NATS server that is down.
    pub(crate) down: Option<String>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let mut stack = Stack::on_a_cluster().await;
        wait_for("the streams to be applied", async || {
            apply(&stack.nats, Some("3")).status.success()
        })
        .await;
        hurry_redelivery(&jetstream::new(stack.nats.client().await)).await;
        let apis = [
            stack.starting_api(&[]),
            stack.starting_api(&[]),
            stack.starting_api(&[]),
        ];
        let ingestors = [stack.starting_ingestor(&[]), stack.starting_ingestor(&[])];
        let world = Self {
            stack,
            apis,
            ingestors,
            down: None,
        };
        world.ready().await;
        world
    }

    /// Waits until every program is ready.
    pub(crate) async fn ready(&self) {
        for node in self.apis.iter().chain(&self.ingestors) {
            node.ready().await;
        }
    }

    /// Whichever servers are running.
    pub(crate) async fn broker(&self) -> jetstream::Context {
        jetstream::new(self.stack.nats.client().await)
    }

    /// What the verdict is about.
    pub(crate) async fn court(&mut self) -> Court<'_> {
        Court {
            broker: self.broker().await,
            pool: &self.stack.database.pool,
            apis: &mut self.apis,
        }
    }

    /// How many events are counted.
    pub(crate) async fn counted(&self) -> u64 {
        let counted: i64 = sqlx::query_scalar("select count(*) from api_token_usage")
            .fetch_one(&self.stack.database.pool)
            .await
            .unwrap();
        counted.cast_unsigned()
    }

    /// How many events either ingestor has counted since it was started.
    pub(crate) async fn counted_by_each(&self) -> Vec<u64> {
        let mut each = Vec::new();
        for ingestor in &self.ingestors {
            let metrics = ingestor.about_itself("/metrics").await.text;
            let counted = metrics.lines().find_map(|line| line.strip_prefix(COUNTED));
            each.push(counted.unwrap().parse().unwrap());
        }
        each
    }
}

/// Runs `tollkeeper nats apply` as the operator of a cluster does.
pub(crate) fn apply(cluster: &TestCluster, replicas: Option<&str>) -> Output {
    tollkeeper(cluster, replicas, "apply")
}

/// Runs `tollkeeper nats`.
pub(crate) fn tollkeeper(cluster: &TestCluster, replicas: Option<&str>, what: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tollkeeper"))
        .args(["nats", what])
        // What this test is told is no setting of Tollkeeper.
        .env_clear()
        .env("TOLLKEEPER_NATS_URL", cluster.url())
        .envs(replicas.map(|replicas| ("TOLLKEEPER_NATS_REPLICAS", replicas)))
        .output()
        .unwrap()
}
