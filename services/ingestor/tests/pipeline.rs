//! The whole road against a real broker and database: what was appended is counted, exactly.

#![allow(
    clippy::unwrap_used,
    reason = "a test panics when its ground gives way"
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Expected, Pipeline, assert_counted, clock, event, open_spool, publisher, settled};
use tollkeeper_ambient::SystemEntropy;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{FaultProxy, Stack, wait_for};
use tollkeeper_usage::{FullPolicy, Spool, SpoolSettings};

const DRAIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_appended_is_counted_once_and_then_leaves_the_disk() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let spool = open_spool(folder.path(), 2);
    let publisher = pipeline.publisher(&spool);
    let ingestor = pipeline.ingestor();
    let mut expected = Expected::default();
    for number in 0..20_000 {
        let event = event(number, clock().wall_micros());
        spool.append(&event).unwrap();
        expected.add(&event);
    }
    pipeline.settled("counted", expected.events()).await;
    assert_counted(pipeline.pool(), &expected).await;
    // One row for each source that was used: neighbours are merged.
    let rows: i64 = sqlx::query_scalar("select count(*) from usage_ledger")
        .fetch_one(pipeline.pool())
        .await
        .unwrap();
    assert_eq!(rows, 1);
    // For each lane the segment in use and two made ahead, each with its cuts.
    let idle = 2 * 3 * (80 << 10);
    wait_for("settled segments to be deleted", || async {
        spool.stats().bytes <= idle
    })
    .await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await, "a clean end on SIGTERM");
    let stats = spool.stats();
    assert_eq!(
        (stats.appended, stats.published, stats.dropped),
        (20_000, 20_000, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_sends_the_rest_and_closes_the_old_source() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Expected::default();
    let ingestor = pipeline.ingestor();
    for run in 0..3 {
        let spool = open_spool(folder.path(), 1);
        // The first run never publishes, the second stops in the middle of it.
        let publisher = (run > 0).then(|| pipeline.publisher(&spool));
        for number in 0..3_000 {
            let event = event(number, clock().wall_micros());
            spool.append(&event).unwrap();
            expected.add(&event);
        }
        if let Some(publisher) = publisher {
            publisher.shutdown(Duration::ZERO).await;
        }
    }
    let spool = open_spool(folder.path(), 1);
    let publisher = pipeline.publisher(&spool);
    pipeline.settled("counted", expected.events()).await;
    wait_for("the old lanes to go", || async {
        spool.stats().sources == 1
    })
    .await;
    assert_counted(pipeline.pool(), &expected).await;
    wait_for("the final numbers", || async {
        let finals: Vec<i64> = sqlx::query_scalar(
            "select final_sequence from usage_sources where final_sequence is not null",
        )
        .fetch_all(pipeline.pool())
        .await
        .unwrap();
        finals == [3_000, 3_000, 3_000]
    })
    .await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_delivered_again_counts_nothing() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let spool = open_spool(folder.path(), 1);
    let publisher = pipeline.publisher(&spool);
    let mut expected = Expected::default();
    for number in 0..2_000 {
        let event = event(number, clock().wall_micros());
        spool.append(&event).unwrap();
        expected.add(&event);
    }
    assert!(publisher.shutdown(DRAIN).await.complete);
    // The same bytes under other message ids, as after the broker's duplicate window.
    let jetstream = async_nats::jetstream::new(pipeline.client.clone());
    let stream = jetstream.get_stream("USAGE").await.unwrap();
    let last = stream.get_info().await.unwrap().state.last_sequence;
    for sequence in 1..=last {
        let message = stream.get_raw_message(sequence).await.unwrap();
        for _ in 0..2 {
            let again = jetstream.publish(message.subject.clone(), message.payload.clone());
            again.await.unwrap().await.unwrap();
        }
    }
    let ingestor = pipeline.ingestor();
    wait_for("the stream to be empty", || async {
        stream.get_info().await.unwrap().state.messages == 0
    })
    .await;
    assert_counted(pipeline.pool(), &expected).await;
    assert!(ingestor.stop().await);
}

/// Waits until `/readyz` says this of the component, with a reason that holds `reason`.
async fn reported(node: &Node, component: &str, ready: bool, reason: &str) {
    wait_for(&format!("{component} to be ready: {ready}"), async || {
        let said = node.about_itself("/readyz").await.json();
        let said = &said["components"][component];
        said["ready"] == ready && said["reason"].as_str().unwrap_or_default().contains(reason)
    })
    .await;
}

/// Appends events and returns what is to be counted.
fn append(spool: &Spool, count: u64) -> Expected {
    let mut expected = Expected::default();
    for number in 0..count {
        let event = event(number, clock().wall_micros());
        spool.append(&event).unwrap();
        expected.add(&event);
    }
    expected
}

#[tokio::test(flavor = "multi_thread")]
async fn broker_and_database_may_come_late() {
    let mut stack = Stack::bare().await;
    let database = FaultProxy::start(stack.database.tcp_address()).await;
    let broker = FaultProxy::start(stack.nats.address()).await;
    stack.database_through(database.address());
    stack.nats_through(broker.address());
    let client = stack.nats.client().await;
    let folder = tempfile::tempdir().unwrap();
    let spool = open_spool(folder.path(), 1);
    let publisher = publisher(&spool, &client, &stack.database.pool);
    let expected = append(&spool, 5_000);

    database.refuse();
    broker.refuse();
    let mut ingestor = stack.starting_ingestor(&[]);
    reported(&ingestor, "postgres", false, "Postgres is away").await;
    reported(&ingestor, "nats", false, "").await;
    assert_eq!(ingestor.about_itself("/readyz").await.status, 503);
    assert_eq!(ingestor.about_itself("/livez").await.status, 200);
    broker.resume();
    reported(&ingestor, "postgres", false, "Postgres is away").await;
    assert_eq!(settled(&stack.database.pool, "counted").await, 0);

    database.resume();
    ingestor.ready().await;
    wait_for("everything to be counted", || async {
        settled(&stack.database.pool, "counted").await >= expected.events()
    })
    .await;
    assert_counted(&stack.database.pool, &expected).await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_while_there_is_nothing_to_write_is_missed() {
    let mut stack = Stack::bare().await;
    let database = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(database.address());
    let mut ingestor = stack.ingestor(&[]).await;
    // It ends connections, or says nothing any more.
    for is_silent in [false, true] {
        if is_silent {
            database.pause();
        } else {
            database.cut();
        }
        reported(&ingestor, "postgres", false, "Postgres is away").await;
        assert_eq!(ingestor.about_itself("/readyz").await.status, 503);
        database.resume();
        ingestor.ready().await;
    }
    assert!(ingestor.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_database_is_named_and_does_not_hold_up_the_end() {
    let mut stack = Stack::bare().await;
    let database = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(database.address());
    let client = stack.nats.client().await;
    let folder = tempfile::tempdir().unwrap();
    let spool = open_spool(folder.path(), 1);
    let publisher = publisher(&spool, &client, &stack.database.pool);
    let mut ingestor = stack.ingestor(&[]).await;

    database.pause();
    let expected = append(&spool, 2_000);
    reported(&ingestor, "postgres", false, "usage cannot be written").await;
    assert_eq!(ingestor.about_itself("/readyz").await.status, 503);
    assert!(ingestor.stop().await.success(), "{}", ingestor.log_text());
    assert_eq!(settled(&stack.database.pool, "counted").await, 0);

    database.resume();
    ingestor.restart();
    ingestor.ready().await;
    wait_for("everything to be counted", || async {
        settled(&stack.database.pool, "counted").await >= expected.events()
    })
    .await;
    assert_counted(&stack.database.pool, &expected).await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_opens_again_and_is_emptied_by_its_publisher() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let settings = SpoolSettings {
        max_bytes: 256 << 10,
        lanes: 1,
        full_policy: FullPolicy::Refuse,
        ..SpoolSettings::new(folder.path())
    };
    let open = || Spool::open(settings.clone(), clock(), Arc::new(SystemEntropy)).unwrap();
    let spool = open();
    let mut expected = Expected::default();
    let mut number = 0;
    let mut append = |spool: &Spool| {
        let event = event(number, clock().wall_micros());
        number += 1;
        let accepted = spool.append(&event).is_ok();
        if accepted {
            expected.add(&event);
        }
        accepted
    };
    while append(&spool) {}
    drop(spool);

    let spool = open();
    // What the first run made ahead and never used is room again, and no more than that.
    while append(&spool) {}
    let publisher = pipeline.publisher(&spool);
    let ingestor = pipeline.ingestor();
    wait_for("room again", || std::future::ready(append(&spool))).await;
    pipeline.settled("counted", expected.events()).await;
    assert_counted(pipeline.pool(), &expected).await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}
