//! `kill -9` under load: nothing lost, nothing doubled.

#![allow(
    clippy::unwrap_used,
    reason = "a test panics when its ground gives way"
)]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{Expected, Pipeline, assert_counted, clock, event, open_spool, settled};
use tollkeeper_testkit::wait_for;

const DRAIN: Duration = Duration::from_secs(30);

/// Appends until told to stop and returns what it appended.
fn load(
    spool: std::sync::Arc<tollkeeper_usage::Spool>,
    stop: std::sync::Arc<AtomicBool>,
) -> std::thread::JoinHandle<Expected> {
    std::thread::spawn(move || {
        let mut expected = Expected::default();
        let mut number = 0;
        while !stop.load(Ordering::Relaxed) {
            // About 20,000 events a second, so that the ingestor has backlog when it is killed.
            for _ in 0..200 {
                let event = event(number, clock().wall_micros());
                spool.append(&event).unwrap();
                expected.add(&event);
                number += 1;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        expected
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ingestor_killed_again_and_again_counts_exactly() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let spool = open_spool(folder.path(), 1);
    let publisher = pipeline.publisher(&spool);
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let writer = load(spool.clone(), stop.clone());
    let mut seen = 0;
    for _ in 0..6 {
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
    stop.store(true, Ordering::Relaxed);
    let expected = writer.join().unwrap();
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
async fn the_broker_killed_under_load_costs_nothing() {
    let mut pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let spool = open_spool(folder.path(), 1);
    let publisher = pipeline.publisher(&spool);
    let ingestor = pipeline.ingestor();
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let writer = load(spool.clone(), stop.clone());
    for _ in 0..3 {
        let seen = settled(pipeline.pool(), "counted").await;
        wait_for("progress", || async {
            settled(pipeline.pool(), "counted").await > seen
        })
        .await;
        pipeline.nats.kill().await;
        pipeline.nats.restart().await;
    }
    stop.store(true, Ordering::Relaxed);
    let expected = writer.join().unwrap();
    pipeline.settled("counted", expected.events()).await;
    assert_counted(pipeline.pool(), &expected).await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}
