//! `kill -9` under load: nothing lost, nothing doubled.

#![allow(
    clippy::unwrap_used,
    reason = "a test panics when its ground gives way"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use common::{
    Expected, Ingestor, Pipeline, apply, assert_counted, charged_event, clock, event, open_spool,
    publisher, report, settled,
};
use sqlx::PgPool;
use tollkeeper_embedded::postgres::Durability;
use tollkeeper_testkit::{PrivatePostgres, TestNats, wait_for};
use tollkeeper_usage::Spool;

const DRAIN: Duration = Duration::from_secs(30);

/// Appends in the background as many events as it is allowed to.
struct Load {
    allowed: Arc<AtomicU64>,
    writer: JoinHandle<Expected>,
}

/// What each round of a test adds: several transactions' worth of batches.
const ROUND: u64 = 30_000;
const OVER: u64 = u64::MAX;

impl Load {
    fn start(spool: Arc<Spool>) -> Self {
        let allowed = Arc::new(AtomicU64::new(0));
        let limit = Arc::clone(&allowed);
        let writer = std::thread::spawn(move || {
            let mut expected = Expected::default();
            let mut number = 0;
            loop {
                match limit.load(Ordering::Relaxed) {
                    OVER => return expected,
                    allowed if number < allowed => {
                        let event = charged_event(number, clock().wall_micros());
                        spool.append(&event).unwrap();
                        expected.add(&event);
                        number += 1;
                    }
                    _ => std::thread::yield_now(),
                }
            }
        });
        Self { allowed, writer }
    }

    fn allow_more(&self) {
        self.allowed.fetch_add(ROUND, Ordering::Relaxed);
    }

    /// Ends it and returns what it appended.
    fn stop(self) -> Expected {
        self.allowed.store(OVER, Ordering::Relaxed);
        self.writer.join().unwrap()
    }
}

async fn rows(pool: &PgPool) -> i64 {
    let count = sqlx::query_scalar("select count(*) from api_token_usage");
    count.fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ingestor_killed_again_and_again_counts_exactly() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let spool = open_spool(folder.path(), 1);
    let publisher = pipeline.publisher(&spool);
    let load = Load::start(Arc::clone(&spool));
    let mut seen = 0;
    for _ in 0..6 {
        load.allow_more();
        // Two at once: they compete for the same source.
        let (first, second) = (pipeline.ingestor(), pipeline.ingestor());
        wait_for("progress", || async {
            settled(pipeline.pool(), "counted").await > seen
        })
        .await;
        first.kill();
        second.kill();
        seen = settled(pipeline.pool(), "counted").await;
    }
    let expected = load.stop();
    // A killed ingestor's messages come again after the acknowledgement wait; what it committed
    // without acknowledging is recognised then.
    let ingestor = pipeline.ingestor();
    pipeline.settled("counted", expected.events()).await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    let jetstream = async_nats::jetstream::new(pipeline.client.clone());
    let stream = jetstream.get_stream("USAGE").await.unwrap();
    wait_for("the stream to be empty", || async {
        stream.get_info().await.unwrap().state.messages == 0
    })
    .await;
    assert_counted(pipeline.pool(), &expected).await;
    assert_eq!(settled(pipeline.pool(), "dead").await, 0);
    assert!(ingestor.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_reported_to_the_api_is_counted_once_whoever_is_killed() {
    let pipeline = Pipeline::start().await;
    let pool = pipeline.pool();
    let now = clock().wall_micros();
    let events: Vec<_> = (0..4 * ROUND).map(|number| event(number, now)).collect();
    let mut expected = Expected::default();
    let mut counted = 0;
    for round in events.chunks(events.len() / 4) {
        report(pool, round).await;
        round.iter().for_each(|event| expected.add(event));
        // Two at once: each takes what the other one has not.
        let (first, second) = (pipeline.ingestor(), pipeline.ingestor());
        wait_for("progress", || async { rows(pool).await > counted }).await;
        first.kill();
        second.kill();
        counted = rows(pool).await;
    }
    let ingestor = pipeline.ingestor();
    wait_for("everything to be counted", || async {
        rows(pool).await >= events.len() as i64
    })
    .await;
    assert_counted(pool, &expected).await;
    assert!(ingestor.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_killed_under_load_costs_nothing() {
    let mut pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let spool = open_spool(folder.path(), 1);
    let publisher = pipeline.publisher(&spool);
    let ingestor = pipeline.ingestor();
    let load = Load::start(Arc::clone(&spool));
    for _ in 0..3 {
        load.allow_more();
        let seen = settled(pipeline.pool(), "counted").await;
        wait_for("progress", || async {
            settled(pipeline.pool(), "counted").await > seen
        })
        .await;
        pipeline.nats.kill().await;
        pipeline.nats.restart().await;
    }
    let expected = load.stop();
    pipeline.settled("counted", expected.events()).await;
    assert_counted(pipeline.pool(), &expected).await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_killed_under_load_costs_nothing() {
    let nats = TestNats::start().await;
    let client = nats.client().await;
    apply(&client).await;
    let mut postgres = PrivatePostgres::start(Durability::Full).await;
    let pool = PgPool::connect_lazy(&postgres.url()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let spool = open_spool(folder.path(), 1);
    let publisher = publisher(&spool, &client, &pool);
    let ingestor = Ingestor::start(&postgres.url(), &nats.url());
    let load = Load::start(Arc::clone(&spool));
    for _ in 0..3 {
        load.allow_more();
        let seen = settled(&pool, "counted").await;
        wait_for("progress", || async {
            settled(&pool, "counted").await > seen
        })
        .await;
        postgres.kill().await;
        postgres.restart().await;
        // The test's own connections went with the server.
        wait_for("the database to answer", || async {
            sqlx::query("select 1").execute(&pool).await.is_ok()
        })
        .await;
    }
    let expected = load.stop();
    wait_for("everything to be counted", || async {
        settled(&pool, "counted").await >= expected.events()
    })
    .await;
    assert_counted(&pool, &expected).await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}
