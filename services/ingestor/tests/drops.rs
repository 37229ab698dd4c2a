//! A spool that is full: what it drops is reported, and what the broker has makes room.

#![allow(
    clippy::unwrap_used,
    reason = "a test panics when its ground gives way"
)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Expected, Pipeline, apply, assert_counted, clock, event, settled};
use tollkeeper_ambient::SystemEntropy;
use tollkeeper_testkit::wait_for;
use tollkeeper_usage::{FullPolicy, Spool, SpoolSettings};

const DRAIN: Duration = Duration::from_secs(30);
/// A few segments' worth.
const BYTES: u64 = 128 << 10;

fn small_spool(dir: &Path, full_policy: FullPolicy) -> Arc<Spool> {
    let settings = SpoolSettings {
        max_bytes: BYTES,
        lanes: 1,
        full_policy,
        ..SpoolSettings::new(dir)
    };
    Spool::open(settings, clock(), Arc::new(SystemEntropy)).unwrap()
}

/// Appends an event and adds it to what is to be counted, unless it was dropped or refused.
fn append(spool: &Spool, expected: &mut Expected, number: u64) -> bool {
    let before = spool.stats().dropped;
    let event = event(number, clock().wall_micros());
    let is_kept = spool.append(&event).is_ok() && spool.stats().dropped == before;
    if is_kept {
        expected.add(&event);
    }
    is_kept
}

async fn finals(pipeline: &Pipeline) -> Vec<i64> {
    sqlx::query_scalar(
        "select final_sequence from usage_sources where final_sequence is not null
         order by source",
    )
    .fetch_all(pipeline.pool())
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dropped_while_the_broker_is_away_is_reported_also_after_a_crash() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Expected::default();
    // Two runs without a publisher: the second one finds the spool full.
    let mut dropped = 0;
    for _ in 0..2 {
        let spool = small_spool(folder.path(), FullPolicy::Drop);
        for number in 0..3_000 {
            append(&spool, &mut expected, number);
        }
        dropped += spool.stats().dropped;
    }
    assert!(dropped > 3_000 && expected.events() > 0);

    let spool = small_spool(folder.path(), FullPolicy::Drop);
    let publisher = pipeline.publisher(&spool);
    let ingestor = pipeline.ingestor();
    pipeline.settled("counted", expected.events()).await;
    pipeline.settled("dropped", dropped).await;
    wait_for("the old lanes to go", || async {
        spool.stats().sources == 1
    })
    .await;
    assert_counted(pipeline.pool(), &expected).await;
    assert_eq!(settled(pipeline.pool(), "dropped").await, dropped);
    assert_eq!(finals(&pipeline).await, [3_000, 3_000]);
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn drops_are_reported_while_the_spool_goes_on() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Expected::default();
    let spool = small_spool(folder.path(), FullPolicy::Drop);
    let mut number = 0;
    while spool.stats().dropped < 500 {
        append(&spool, &mut expected, number);
        number += 1;
    }
    let publisher = pipeline.publisher(&spool);
    let ingestor = pipeline.ingestor();
    // There is room again, and the next events have numbers behind the dropped ones.
    let before = expected.events();
    wait_for("events to be kept again", || {
        number += 1;
        append(&spool, &mut expected, number - 1);
        std::future::ready(expected.events() > before + 20)
    })
    .await;
    let dropped = spool.stats().dropped;
    pipeline.settled("counted", expected.events()).await;
    pipeline.settled("dropped", dropped).await;
    assert_counted(pipeline.pool(), &expected).await;
    assert_eq!(expected.events() + dropped, number);
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_leaves_to_the_broker_what_it_has_before_it_drops_anything() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Expected::default();
    let spool = small_spool(folder.path(), FullPolicy::Refuse);
    let publisher = pipeline.publisher(&spool);
    // Many times the spool's size, and nobody counts.
    for number in 0..20_000 {
        wait_for("room", || {
            std::future::ready(append(&spool, &mut expected, number))
        })
        .await;
    }
    assert!(spool.stats().bytes <= BYTES);
    let ingestor = pipeline.ingestor();
    pipeline.settled("counted", 20_000).await;
    assert_counted(pipeline.pool(), &expected).await;
    assert_eq!(settled(pipeline.pool(), "dropped").await, 0);
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_full_spool_left_to_a_broker_that_lost_it_is_reported_as_dropped() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Expected::default();
    let spool = small_spool(folder.path(), FullPolicy::Refuse);
    let publisher = pipeline.publisher(&spool);
    for number in 0..10_000 {
        wait_for("room", || {
            std::future::ready(append(&spool, &mut expected, number))
        })
        .await;
    }
    wait_for("the broker to have everything", || async {
        spool.stats().published == 10_000
    })
    .await;
    let jetstream = async_nats::jetstream::new(pipeline.client.clone());
    jetstream.delete_stream("USAGE").await.unwrap();
    apply(&pipeline.client).await;
    let ingestor = pipeline.ingestor();
    wait_for("every event to be counted or reported", || async {
        let counted = settled(pipeline.pool(), "counted").await;
        counted + settled(pipeline.pool(), "dropped").await == 10_000
    })
    .await;
    let raw: i64 = sqlx::query_scalar("select count(*) from api_token_usage")
        .fetch_one(pipeline.pool())
        .await
        .unwrap();
    let counted = settled(pipeline.pool(), "counted").await;
    assert_eq!(raw.unsigned_abs(), counted);
    assert!(0 < counted && counted < 10_000, "{counted}");
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_to_the_broker_is_counted_after_a_crash() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Expected::default();
    let spool = small_spool(folder.path(), FullPolicy::Refuse);
    let publisher = pipeline.publisher(&spool);
    for number in 0..10_000 {
        wait_for("room", || {
            std::future::ready(append(&spool, &mut expected, number))
        })
        .await;
    }
    publisher.shutdown(DRAIN).await;
    drop(spool);

    // The new process knows nothing of what the broker has. Whatever it says comes behind it.
    let spool = small_spool(folder.path(), FullPolicy::Refuse);
    let publisher = pipeline.publisher(&spool);
    let ingestor = pipeline.ingestor();
    pipeline.settled("counted", 10_000).await;
    wait_for("the old lane to go", || async {
        spool.stats().sources == 1
    })
    .await;
    assert_counted(pipeline.pool(), &expected).await;
    assert_eq!(settled(pipeline.pool(), "dropped").await, 0);
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}
