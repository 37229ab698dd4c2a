//! The log on its way to the broker.

use async_nats::jetstream;
use serde_json::{Value, json};
use tollkeeper_testkit::{Stack, wait_for};

use crate::support::{path_of, text};

/// What the stream `LIFECYCLE` holds once it has this many messages: ids and bodies, in order.
async fn relayed(stack: &Stack, how_many: u64) -> Vec<(String, String, Value)> {
    let broker = jetstream::new(stack.nats.client().await);
    let stream = broker.get_stream("LIFECYCLE").await.unwrap();
    wait_for("the log to be relayed", async || {
        stream.get_info().await.unwrap().state.messages >= how_many
    })
    .await;
    let held = stream.get_info().await.unwrap().state;
    let mut messages = Vec::new();
    for sequence in held.first_sequence..=held.last_sequence {
        let message = stream.get_raw_message(sequence).await.unwrap();
        let id = message.headers.get("Nats-Msg-Id").unwrap().to_string();
        let body = serde_json::from_slice(&message.payload).unwrap();
        messages.push((message.subject.to_string(), id, body));
    }
    messages
}

#[tokio::test]
async fn every_event_reaches_the_broker_once_in_order_and_without_secrets() {
    let mut stack = Stack::bare().await;
    // One of them relays; the other waits for the lease.
    let (here, there) = (stack.api(&[]).await, stack.api(&[]).await);
    let operator = here.operator();
    let account = operator.account("crm-1").await;
    let token = there.operator().issue(&account, json!({})).await;
    let path = path_of(&token);
    assert_eq!(relayed(&stack, 2).await.len(), 2);

    stack.nats.kill().await;
    let rotated = operator.post(&format!("{path}/rotate"), json!({})).await;
    rotated.expect(200);
    stack.nats.restart().await;
    operator.delete(&path).await.expect(200);

    let messages = relayed(&stack, 4).await;
    let subjects: Vec<&str> = messages.iter().map(|(it, ..)| it.as_str()).collect();
    assert_eq!(
        subjects,
        [
            "lifecycle.AccountRegistered",
            "lifecycle.TokenIssued",
            "lifecycle.TokenRotated",
            "lifecycle.TokenRevoked"
        ]
    );
    for (position, (_, id, body)) in (1..).zip(&messages) {
        assert_eq!(body["position"], position, "{body}");
        assert_eq!(text(body, "event_id"), id);
        assert_eq!(text(body, "actor"), "operator:test");
        assert!(body["payload"].is_object());
        assert!(!body.to_string().contains("secret_hash"), "{body}");
    }
    let issued = &messages[1].2["payload"];
    assert_eq!(issued["token_prefix"], token["token_prefix"]);
}
