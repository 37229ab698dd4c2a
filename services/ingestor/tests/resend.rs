//! A broker that loses what it has acknowledged, and one that is merely slow.

#![allow(
    clippy::unwrap_used,
    reason = "a test panics when its ground gives way"
)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream::Stream;
use common::{Expected, Pipeline, apply, assert_counted, clock, event, open_spool, settled};
use futures::StreamExt;
use tollkeeper_testkit::wait_for;
use tollkeeper_usage::Spool;

const DRAIN: Duration = Duration::from_secs(30);

/// Appends events and adds them to what is to be counted.
fn append(spool: &Spool, expected: &mut Expected, count: u64) {
    for number in 0..count {
        let event = event(number, clock().wall_micros());
        spool.append(&event).unwrap();
        expected.add(&event);
    }
}

/// Waits until the broker has acknowledged so many events.
async fn published(spool: &Arc<Spool>, events: u64) {
    wait_for("the broker to acknowledge", || async {
        spool.stats().published >= events
    })
    .await;
}

async fn stream(pipeline: &Pipeline) -> Stream {
    let jetstream = async_nats::jetstream::new(pipeline.client.clone());
    jetstream.get_stream("USAGE").await.unwrap()
}

async fn messages(pipeline: &Pipeline) -> u64 {
    let info = stream(pipeline).await.get_info().await.unwrap();
    info.state.messages
}

/// The ids of the messages in the stream.
async fn ids(pipeline: &Pipeline) -> Vec<String> {
    let stream = stream(pipeline).await;
    let state = stream.get_info().await.unwrap().state;
    let mut ids = Vec::new();
    for sequence in state.first_sequence.max(1)..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.unwrap();
        let id = message.headers.get(NATS_MESSAGE_ID).unwrap();
        ids.push(id.to_string());
    }
    ids
}

/// The attempts of the messages in the stream, as their ids tell them.
async fn attempts(pipeline: &Pipeline) -> Vec<u32> {
    let attempt = |id: &String| id.rsplit(':').next().unwrap().parse().unwrap();
    ids(pipeline).await.iter().map(attempt).collect()
}

/// Takes the stream away with all that is in it and makes it anew.
async fn make_anew(pipeline: &Pipeline) {
    let jetstream = async_nats::jetstream::new(pipeline.client.clone());
    jetstream.delete_stream("USAGE").await.unwrap();
    apply(&pipeline.client).await;
}

/// Waits until the publisher has looked at the stream several times more.
async fn looks(pipeline: &Pipeline) {
    let jetstream = async_nats::jetstream::new(pipeline.client.clone());
    // Our own questions are among those that the server counts.
    let asked = async || jetstream.query_account().await.unwrap().requests.total;
    let before = asked().await;
    let own = AtomicU64::new(0);
    wait_for("looks at the stream", async || {
        let own = own.fetch_add(1, Ordering::Relaxed);
        asked().await >= before + own + 40
    })
    .await;
}

async fn counted_exactly(pipeline: &Pipeline, expected: &Expected) {
    pipeline.settled("counted", expected.events()).await;
    wait_for("the stream to be empty", || async {
        messages(pipeline).await == 0
    })
    .await;
    assert_counted(pipeline.pool(), expected).await;
    assert_eq!(settled(pipeline.pool(), "dead").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stream_took_with_it_is_sent_to_the_new_one() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let spool = open_spool(folder.path(), 2);
    let publisher = pipeline.publisher(&spool);
    let mut expected = Expected::default();
    append(&spool, &mut expected, 6_000);
    published(&spool, 6_000).await;
    looks(&pipeline).await;
    let batches = messages(&pipeline).await;
    assert_eq!(attempts(&pipeline).await, vec![1; batches as usize]);

    make_anew(&pipeline).await;
    wait_for("everything to be sent again", || async {
        messages(&pipeline).await >= batches
    })
    .await;
    looks(&pipeline).await;
    assert_eq!(
        attempts(&pipeline).await,
        vec![2; batches as usize],
        "each batch once, as it was cut"
    );
    let ingestor = pipeline.ingestor();
    counted_exactly(&pipeline, &expected).await;
    // What comes after is nothing special.
    append(&spool, &mut expected, 1_000);
    counted_exactly(&pipeline, &expected).await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_made_anew_under_load_costs_nothing() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let spool = open_spool(folder.path(), 1);
    let publisher = pipeline.publisher(&spool);
    let ingestor = pipeline.ingestor();
    let mut expected = Expected::default();
    for round in 1..=3 {
        append(&spool, &mut expected, 5_000);
        published(&spool, round * 5_000 - 2_000).await;
        make_anew(&pipeline).await;
    }
    counted_exactly(&pipeline, &expected).await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_restored_from_an_older_copy_is_told_again_what_it_forgot() {
    let mut pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let spool = open_spool(folder.path(), 1);
    let publisher = pipeline.publisher(&spool);
    let mut expected = Expected::default();
    append(&spool, &mut expected, 3_000);
    published(&spool, 3_000).await;

    let store = pipeline.nats.store().to_owned();
    let backup = folder.path().join("backup");
    pipeline.nats.stop().await;
    copy(&store, &backup);
    pipeline.nats.restart().await;
    append(&spool, &mut expected, 4_000);
    published(&spool, 7_000).await;
    pipeline.nats.kill().await;
    std::fs::remove_dir_all(&store).unwrap();
    copy(&backup, &store);
    pipeline.nats.restart().await;
    // These take the sequences of what was forgotten.
    append(&spool, &mut expected, 2_000);
    published(&spool, 9_000).await;

    let ingestor = pipeline.ingestor();
    counted_exactly(&pipeline, &expected).await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_between_loss_and_evidence_changes_nothing() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Expected::default();
    let spool = open_spool(folder.path(), 1);
    let publisher = pipeline.publisher(&spool);
    append(&spool, &mut expected, 3_000);
    published(&spool, 3_000).await;
    let batches = messages(&pipeline).await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    drop(spool);
    // The messages are gone, and the broker still knows their ids.
    let gone = stream(&pipeline).await;
    for sequence in 1..=batches {
        assert!(gone.delete_message(sequence).await.unwrap());
    }

    let spool = open_spool(folder.path(), 1);
    let publisher = pipeline.publisher(&spool);
    wait_for("a second attempt", || async {
        messages(&pipeline).await > batches
    })
    .await;
    looks(&pipeline).await;
    // The final number was not known to the broker.
    let mut sent = attempts(&pipeline).await;
    sent.sort_unstable();
    assert_eq!(sent.pop(), Some(2));
    let first = sent.iter().filter(|attempt| **attempt == 1).count();
    assert_eq!((first, sent.len() as u64), (1, batches), "{sent:?}");

    let ingestor = pipeline.ingestor();
    counted_exactly(&pipeline, &expected).await;
    wait_for("the old lane to go", || async {
        spool.stats().sources == 1
    })
    .await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_made_anew_knows_no_message_of_the_old_one() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Expected::default();
    let spool = open_spool(folder.path(), 1);
    let publisher = pipeline.publisher(&spool);
    append(&spool, &mut expected, 3_000);
    published(&spool, 3_000).await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    drop(spool);
    make_anew(&pipeline).await;

    let spool = open_spool(folder.path(), 1);
    let publisher = pipeline.publisher(&spool);
    published(&spool, 3_000).await;
    looks(&pipeline).await;
    assert!(attempts(&pipeline).await.iter().all(|it| *it == 1));
    let ingestor = pipeline.ingestor();
    counted_exactly(&pipeline, &expected).await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_final_number_that_was_lost_is_told_again() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Expected::default();
    append(&open_spool(folder.path(), 1), &mut expected, 700);
    let spool = open_spool(folder.path(), 1);
    let publisher = pipeline.publisher(&spool);
    let told = |attempt: &'static str| {
        let pipeline = &pipeline;
        wait_for("the final number to be told", move || async move {
            let ids = ids(pipeline).await;
            ids.iter().any(|id| id.ends_with(attempt))
        })
    };
    told(":close:700:1").await;
    make_anew(&pipeline).await;
    told(":close:700:2").await;
    let ingestor = pipeline.ingestor();
    counted_exactly(&pipeline, &expected).await;
    wait_for("the old lane to go", || async {
        spool.stats().sources == 1
    })
    .await;
    let told: Vec<i64> = sqlx::query_scalar(
        "select final_sequence from usage_sources where final_sequence is not null",
    )
    .fetch_all(pipeline.pool())
    .await
    .unwrap();
    assert_eq!(told, [700]);
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_ingestor_is_no_evidence_and_a_late_original_counts_nothing() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let spool = open_spool(folder.path(), 1);
    let publisher = pipeline.publisher(&spool);
    let mut expected = Expected::default();
    append(&spool, &mut expected, 3_000);
    published(&spool, 3_000).await;
    let batches = messages(&pipeline).await;

    // Somebody takes the messages, and then nothing is heard, again and again.
    let stream = stream(&pipeline).await;
    let consumer = stream.get_consumer::<pull::Config>("ingestor");
    let consumer = consumer.await.unwrap();
    let fetch = async || {
        let fetched = consumer.fetch().max_messages(100).messages();
        let fetched = fetched.await.unwrap().map(Result::unwrap);
        fetched.collect::<Vec<_>>().await
    };
    let fetched = fetch().await;
    assert_eq!(fetched.len() as u64, batches);
    wait_for("redeliveries", async || {
        fetch().await;
        let info = stream.consumer_info("ingestor").await.unwrap();
        info.delivered.consumer_sequence > batches
    })
    .await;
    looks(&pipeline).await;
    assert_eq!(messages(&pipeline).await, batches, "nothing was sent again");

    // Now they are really gone.
    for sequence in 1..=batches {
        assert!(stream.delete_message(sequence).await.unwrap());
    }
    wait_for("everything to be sent again", || async {
        messages(&pipeline).await == batches
    })
    .await;
    let ingestor = pipeline.ingestor();
    counted_exactly(&pipeline, &expected).await;
    // The one who had taken them hands them on after all.
    let jetstream = async_nats::jetstream::new(pipeline.client.clone());
    for message in fetched {
        let late = jetstream.publish(message.subject.clone(), message.payload.clone());
        late.await.unwrap().await.unwrap();
    }
    counted_exactly(&pipeline, &expected).await;
    assert!(publisher.shutdown(DRAIN).await.complete);
    assert!(ingestor.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_folder_that_was_copied_is_drained_twice_and_counted_once() {
    let pipeline = Pipeline::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Expected::default();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let spool = open_spool(&one, 1);
    append(&spool, &mut expected, 4_000);
    drop(spool);
    copy(&one, &two);

    // As two machines that were started from one image.
    let spools = [&one, &two].map(|folder| open_spool(folder, 1));
    let publishers = [0, 1].map(|at| pipeline.publisher(&spools[at]));
    let ingestor = pipeline.ingestor();
    append(&spools[0], &mut expected, 700);
    append(&spools[1], &mut expected, 800);
    pipeline.settled("counted", expected.events()).await;
    for spool in &spools {
        wait_for("the old lane to go", || async {
            spool.stats().sources == 1
        })
        .await;
    }
    counted_exactly(&pipeline, &expected).await;
    for publisher in publishers {
        assert!(publisher.shutdown(DRAIN).await.complete);
    }
    assert!(ingestor.stop().await);
}
