//! The whole road against a real broker and database: what was appended is counted, exactly.

#![allow(
    clippy::unwrap_used,
    reason = "a test panics when its ground gives way"
)]

mod common;

use std::time::Duration;

use common::{Expected, Pipeline, assert_counted, clock, event, open_spool, settled};
use tollkeeper_testkit::wait_for;

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

#[tokio::test(flavor = "multi_thread")]
async fn broker_and_database_may_come_late() {
    let mut pipeline = Pipeline::start().await;
    pipeline.nats.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let spool = open_spool(folder.path(), 1);
    let publisher = pipeline.publisher(&spool);
    let ingestor = pipeline.ingestor();
    let mut expected = Expected::default();
    for number in 0..5_000 {
        let event = event(number, clock().wall_micros());
        spool.append(&event).unwrap();
        expected.add(&event);
    }
    assert_eq!(settled(pipeline.pool(), "counted").await, 0);
    pipeline.nats.restart().await;
    pipeline.settled("counted", expected.events()).await;
    assert_counted(pipeline.pool(), &expected).await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}
