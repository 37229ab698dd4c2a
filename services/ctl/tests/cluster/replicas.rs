//! On how many servers streams are kept.

use async_nats::jetstream;
use async_nats::jetstream::consumer::pull;
use tollkeeper_testkit::{TestCluster, wait_for};

use crate::world::{apply, tollkeeper};

const STREAMS: [&str; 2] = ["LIFECYCLE", "USAGE"];

/// How many servers keep each stream, and the consumer of the ingestors; `None` while that is changing.
async fn kept_on(broker: &jetstream::Context) -> Option<Vec<usize>> {
    let mut kept = Vec::new();
    for name in STREAMS {
        let stream = broker.get_stream(name).await.ok()?;
        let cluster = stream.cached_info().cluster.clone()?;
        kept.push(1 + cluster.replicas.len());
    }
    let consumer = broker.get_consumer_from_stream::<pull::Config, _, _>("ingestor", "USAGE");
    let cluster = consumer.await.ok()?.cached_info().cluster.clone()?;
    kept.push(1 + cluster.replicas.len());
    Some(kept)
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_kept_on_as_many_servers_as_is_said_and_never_on_one_unsaid() {
    let cluster = TestCluster::start().await;
    let broker = jetstream::new(cluster.client().await);

    for what in ["apply", "diff"] {
        let unsaid = tollkeeper(&cluster, None, what);
        assert!(!unsaid.status.success());
        let text = String::from_utf8(unsaid.stderr).unwrap();
        assert!(text.contains("TOLLKEEPER_NATS_REPLICAS"), "{text}");
    }
    assert!(
        broker.get_stream("USAGE").await.is_err(),
        "nothing was made"
    );

    // One copy each, because somebody said so, and a message in it.
    wait_for("the streams to be applied", async || {
        apply(&cluster, Some("1")).status.success()
    })
    .await;
    wait_for("one copy of each", async || {
        kept_on(&broker).await == Some(vec![1; 3])
    })
    .await;
    let sent = broker.publish("usage.somebody", "a batch".into()).await;
    let sequence = sent.unwrap().await.unwrap().sequence;

    let diff = tollkeeper(&cluster, Some("3"), "diff");
    let text = String::from_utf8(diff.stdout).unwrap();
    assert!(!diff.status.success());
    for name in STREAMS {
        let line = format!("stream {name}: num_replicas is 1, should be 3");
        assert!(text.contains(&line), "{text}");
    }

    let raised = apply(&cluster, Some("3"));
    assert!(raised.status.success(), "{raised:?}");
    wait_for("three copies of each", async || {
        kept_on(&broker).await == Some(vec![3; 3])
    })
    .await;
    for name in STREAMS {
        cluster.whole(name).await;
    }
    assert!(tollkeeper(&cluster, Some("3"), "diff").status.success());
    let usage = broker.get_stream("USAGE").await.unwrap();
    let kept = usage.get_raw_message(sequence).await.unwrap();
    assert_eq!(kept.payload, "a batch");

    let too_many = apply(&cluster, Some("5"));
    assert!(!too_many.status.success());
    let text = String::from_utf8(too_many.stderr).unwrap();
    assert!(text.contains("stream LIFECYCLE: "), "{text}");
}
