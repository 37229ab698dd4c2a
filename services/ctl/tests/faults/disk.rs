//! A real disk that is full or read-only under a running API.

use std::thread;

use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{FaultProxy, SmallDisk, Stack, wait_for};

use crate::STEP;
use crate::common::clients::Clients;
use crate::common::say;
use crate::common::verdict::Court;

const KIB: u64 = 1 << 10;

/// What an API tells of the events it has dropped.
const DROPPED: &str = "tollkeeper_spool_dropped_total ";

/// An API whose spool has a disk to itself, and an ingestor.
struct World {
    stack: Stack,
    disk: SmallDisk,
    to_broker: FaultProxy,
    api: [Node; 1],
    _ingestor: Node,
}

impl World {
    /// The spool may take twice what its segments need at first, and the disk has room for all of it.
    async fn start(policy: &str) -> Self {
        let lanes = thread::available_parallelism().map_or(4, usize::from) as u64;
        let mut stack = Stack::bare().await;
        let to_broker = FaultProxy::start(stack.nats.address()).await;
        stack.nats_through(to_broker.address());
        let disk = SmallDisk::new((512 * lanes + 512) * KIB);
        let bytes = (512 * lanes * KIB).to_string();
        let settings = [
            ("TOLLKEEPER_SPOOL_BYTES", bytes.as_str()),
            ("TOLLKEEPER_SPOOL_FULL", policy),
        ];
        let api = stack.starting_api_on(&disk, &settings);
        api.ready().await;
        Self {
            _ingestor: stack.ingestor(&[]).await,
            stack,
            disk,
            to_broker,
            api: [api],
        }
    }

    async fn court(&mut self) -> Court<'_> {
        Court {
            broker: async_nats::jetstream::new(self.stack.nats.client().await),
            pool: &self.stack.database.pool,
            apis: &mut self.api,
        }
    }

    async fn dropped(&self) -> u64 {
        let metrics = self.api[0].about_itself("/metrics").await.text;
        let dropped = metrics.lines().find_map(|line| line.strip_prefix(DROPPED));
        dropped.unwrap().parse().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_requests_go_on_and_what_is_dropped_is_reported() {
    let mut world = World::start("drop").await;
    let operator = world.api[0].operator();
    let clients = Clients::start(&operator, world.api.iter().map(|api| api.public)).await;
    clients.answered(STEP).await;
    world.disk.fill();
    clients.answered(STEP).await;
    // While the broker is there, it can be given everything.
    world.to_broker.cut();
    wait_for("events to be dropped", async || world.dropped().await > 0).await;
    clients.answered(STEP).await;
    world.disk.clear();
    world.to_broker.resume();
    clients.answered(STEP).await;
    let seen = clients.stop().await;
    let (table, dropped) = world.court().await.counted_or_dropped(&seen).await;
    assert!(dropped > 0, "{table}");
    say(&format!("disk full, drop\n{table}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_requests_are_refused_and_nothing_is_lost() {
    let mut world = World::start("refuse").await;
    let operator = world.api[0].operator();
    let clients = Clients::start(&operator, world.api.iter().map(|api| api.public)).await;
    clients.answered(STEP).await;
    world.disk.fill();
    world.to_broker.cut();
    wait_for("requests to be refused", async || {
        clients.seen().all().open >= STEP
    })
    .await;
    world.disk.clear();
    world.to_broker.resume();
    clients.answered(STEP).await;
    let seen = clients.stop().await;
    let table = world.court().await.counted_once(&seen).await;
    say(&format!("disk full, refuse\n{table}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_disk_that_turned_read_only_requests_are_refused_and_nothing_is_lost() {
    let mut world = World::start("refuse").await;
    let operator = world.api[0].operator();
    let clients = Clients::start(&operator, world.api.iter().map(|api| api.public)).await;
    clients.answered(STEP).await;
    world.disk.make_read_only();
    wait_for("requests to be refused", async || {
        clients.seen().all().open >= STEP
    })
    .await;
    world.disk.make_writable();
    clients.answered(STEP).await;
    // What could not be deleted meanwhile is found at the next start.
    world.api[0].kill();
    world.api[0].restart();
    world.api[0].ready().await;
    clients.answered(STEP).await;
    let seen = clients.stop().await;
    let table = world.court().await.counted_once(&seen).await;
    say(&format!("disk read-only, refuse\n{table}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_does_not_start_on_a_read_only_disk_and_says_why() {
    let mut stack = Stack::bare().await;
    let disk = SmallDisk::new(512 * KIB);
    disk.make_read_only();
    let api = stack.starting_api_on(&disk, &[]);
    wait_for("it to give up", async || {
        api.log_text().contains("Read-only file system")
    })
    .await;
}
