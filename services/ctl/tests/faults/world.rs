//! All of Tollkeeper, in parts that can fail one by one.

use async_nats::jetstream;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{FaultProxy, Stack, wait_for};

use crate::common::verdict::Court;
use crate::common::{ACK_WAIT, hurry_redelivery};

/// Two APIs and two ingestors, each of which reaches Postgres and NATS through a proxy.
pub(crate) struct World {
    pub(crate) stack: Stack,
    pub(crate) apis: [Node; 2],
    pub(crate) ingestors: [Node; 2],
    pub(crate) to_database: FaultProxy,
    pub(crate) to_broker: FaultProxy,
}

impl World {
    pub(crate) async fn start() -> Self {
        let mut stack = Stack::as_in_production().await;
        let to_database = FaultProxy::start(stack.database.tcp_address()).await;
        let to_broker = FaultProxy::start(stack.nats.address()).await;
        stack.database_through(to_database.address());
        stack.nats_through(to_broker.address());
        let apis = [stack.api(&[]).await, stack.api(&[]).await];
        let ingestors = [stack.ingestor(&[]).await, stack.ingestor(&[]).await];
        let world = Self {
            stack,
            apis,
            ingestors,
            to_database,
            to_broker,
        };
        hurry_redelivery(&world.broker().await).await;
        world
    }

    /// The broker, past the proxy.
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

    /// Waits until every program is ready.
    pub(crate) async fn ready(&self) {
        for node in self.apis.iter().chain(&self.ingestors) {
            node.ready().await;
        }
    }

    /// Takes the stream away with all that is in it and makes it anew.
    pub(crate) async fn remake_stream(&self) {
        let broker = self.broker().await;
        broker.delete_stream("USAGE").await.unwrap();
        self.stack.apply_streams().await;
        hurry_redelivery(&broker).await;
    }

    /// Waits until everything that the ingestors hold now is acknowledged, by one of them or another.
    pub(crate) async fn given_to_others(&self) {
        let usage = self.broker().await.get_stream("USAGE").await.unwrap();
        let look = async || usage.consumer_info("ingestor").await.unwrap();
        let held = look().await.delivered.stream_sequence;
        wait_for("what is held to be given to others", async || {
            look().await.ack_floor.stream_sequence >= held
        })
        .await;
    }

    /// Lets more time pass than the broker waits for an acknowledgement. This length is the fault, and
    /// nothing is to be seen of its end: the database is away.
    pub(crate) async fn outwait_acknowledgements(&self) {
        tokio::time::sleep(2 * ACK_WAIT).await;
    }
}
