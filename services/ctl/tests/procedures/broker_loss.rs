//! The broker comes back with nothing.

use std::fs;

use async_nats::jetstream;
use serde_json::json;
use tollkeeper_testkit::{Stack, wait_for};

use crate::runbook::Runbook;

const RUNBOOK: Runbook = Runbook(include_str!("../../../../docs/runbooks/broker-loss.md"));

#[tokio::test(flavor = "multi_thread")]
async fn what_an_empty_broker_has_lost_is_sent_and_told_again() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let mut ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let account = operator.account("shop").await;
    let token = operator.issue(&account, json!({})).await;
    let caller = api.bearer(token["token"].as_str().unwrap());
    // What nobody has counted yet is in the broker, and lost with it.
    assert!(ingestor.stop().await.success());
    for _ in 0..25 {
        caller.get("/v1/forward-auth/orders").await.expect(200);
    }
    held(&stack, "USAGE", 1).await;
    held(&stack, "LIFECYCLE", 2).await;
    stack.nats.kill().await;
    fs::remove_dir_all(stack.nats.store()).unwrap();
    for _ in 0..25 {
        caller.get("/v1/forward-auth/orders").await.expect(200);
    }
    stack.nats.restart().await;
    ingestor.restart();

    let run = async |comment: &str| {
        let (code, said) = RUNBOOK.run(comment, (&stack, &api), &[]).await;
        assert_eq!(code, 0, "{comment}: {said}");
        said
    };
    let said = run("Make the streams.").await;
    assert!(said.contains("stream USAGE: applied"), "{said}");
    ingestor.ready().await;
    let path = format!("/v1/tokens/{}", token["id"].as_str().unwrap());
    wait_for("every call to be counted", async || {
        operator.get(&path).await.expect(200)["usage_count"] == 50
    })
    .await;
    run("Look at what is on its way.").await;

    // Nothing has happened since, so the new stream is empty.
    run("Publish the last day again.").await;
    held(&stack, "LIFECYCLE", 2).await;
    operator.issue(&account, json!({})).await;
    held(&stack, "LIFECYCLE", 3).await;
}

/// Waits until the stream holds so many messages at least.
async fn held(stack: &Stack, stream: &str, messages: u64) {
    let broker = jetstream::new(stack.nats.client().await);
    wait_for("the broker to hold it", async || {
        let stream = broker.get_stream(stream).await;
        stream.is_ok_and(|stream| stream.cached_info().state.messages >= messages)
    })
    .await;
}
