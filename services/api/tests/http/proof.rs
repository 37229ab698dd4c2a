//! What a node may still answer while servers are away, with all of them cut off at once, and what
//! reaches it without the relay.

use async_nats::jetstream::{self, stream};
use serde_json::{Value, json};
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{FaultProxy, Stack, wait_for};

use crate::revocation::deny_from_afar;
use crate::support::{forward_auth, path_of, text, unsigned_problem, verify};

/// The longest that answers may rest on what cannot be proven, in seconds.
const LIMIT: (&str, &str) = ("TOLLKEEPER_STALE_LIMIT_SECONDS", "2");

async fn make_stream(stack: &Stack) {
    let broker = jetstream::new(stack.nats.client().await);
    let definition = include_str!("../../../../nats/streams/LIFECYCLE.json");
    let config: stream::Config = serde_json::from_str(definition).unwrap();
    broker.create_stream(config).await.unwrap();
}

/// How many messages the stream holds.
async fn relayed(stack: &Stack) -> u64 {
    let broker = jetstream::new(stack.nats.client().await);
    let stream = broker.get_stream("LIFECYCLE").await.unwrap();
    stream.get_info().await.unwrap().state.messages
}

#[tokio::test]
async fn denials_need_no_relay_and_a_stream_made_anew_is_filled() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&[]).await, stack.api(&[]).await);
    let account = here.operator().account("crm-1").await;
    wait_for("the relay to work", async || relayed(&stack).await == 1).await;

    // Nothing takes what is relayed, while the processes can still send each other hints.
    let broker = jetstream::new(stack.nats.client().await);
    broker.delete_stream("LIFECYCLE").await.unwrap();
    deny_from_afar(&here, &there, &account).await;

    make_stream(&stack).await;
    let head = "select position from event_log_head";
    let head: i64 = sqlx::query_scalar(head)
        .fetch_one(&stack.database.pool)
        .await
        .unwrap();
    // All but the first, which the stream before had acknowledged.
    let missed = u64::try_from(head).unwrap() - 1;
    wait_for("what was missed to be relayed", async || {
        relayed(&stack).await >= missed
    })
    .await;
    deny_from_afar(&here, &there, &account).await;
}

/// Waits until `/readyz` names this state.
async fn in_state(node: &Node, state: &str) -> Value {
    let said = parking_lot::Mutex::new(Value::Null);
    wait_for(&format!("verification to be {state}"), async || {
        let proof = node.about_itself("/readyz").await.json()["components"]["proof"].clone();
        let is_so = proof["state"] == state;
        *said.lock() = proof;
        is_so
    })
    .await;
    said.into_inner()
}

#[tokio::test]
async fn with_both_servers_cut_off_the_policy_decides_and_denials_stand() {
    let mut stack = Stack::bare().await;
    let far = stack.api(&[]).await;
    let database = FaultProxy::start(stack.database.tcp_address()).await;
    let broker = FaultProxy::start(stack.nats.address()).await;
    stack.database_through(database.address());
    stack.nats_through(broker.address());
    let denying = stack.api(&[LIMIT]).await;
    let allowing = stack
        .api(&[LIMIT, ("TOLLKEEPER_STALE_POLICY", "allow")])
        .await;
    let operator = far.operator();
    let account = operator.account("crm-1").await;
    let mut tokens = Vec::new();
    for _ in 0..4 {
        tokens.push(operator.issue(&account, json!({})).await);
    }
    let [kept, ended, ended_meanwhile, cold] = &tokens[..] else {
        panic!("four")
    };
    operator.delete(&path_of(ended)).await.expect(200);
    for node in [&denying, &allowing] {
        for (token, status) in [(kept, 200), (ended, 401), (ended_meanwhile, 200)] {
            let answer = forward_auth(node, text(token, "token"), "").await;
            assert_eq!(answer.status, status);
        }
        in_state(node, "live").await;
    }

    database.cut();
    broker.cut();
    operator.delete(&path_of(ended_meanwhile)).await.expect(200);
    let said = in_state(&denying, "unavailable").await;
    assert_eq!(said["ready"], false, "{said}");
    assert!(
        said["age_ms"].as_u64().is_some_and(|age| age > 2000),
        "{said}"
    );
    for token in [kept, ended_meanwhile, cold] {
        let answer = forward_auth(&denying, text(token, "token"), "").await;
        unsigned_problem(&answer, 503, "UNAVAILABLE");
    }
    let said = in_state(&allowing, "stale").await;
    assert_eq!(said["ready"], true, "{said}");
    wait_for("the other proof to be beyond the limit", async || {
        let told = verify(&allowing.operator(), text(kept, "token")).await;
        assert_eq!(told["code"], "VALID");
        told["age_ms"].as_u64().is_some_and(|age| age > 2000)
    })
    .await;
    // It goes on by what it knew, which is what was asked for.
    let answer = forward_auth(&allowing, text(ended_meanwhile, "token"), "").await;
    assert_eq!(answer.status, 200);
    let answer = forward_auth(&allowing, text(cold, "token"), "").await;
    unsigned_problem(&answer, 503, "UNAVAILABLE");
    for node in [&denying, &allowing] {
        let answer = forward_auth(node, text(ended, "token"), "").await;
        unsigned_problem(&answer, 401, "REVOKED");
    }
    for (node, state) in [(&denying, "unavailable"), (&allowing, "stale")] {
        let line = format!("tollkeeper_verification_state{{state=\"{state}\"}} 1");
        wait_for("the state to be counted", async || {
            let metrics = node.about_itself("/metrics").await.text;
            let ones = metrics.lines().filter(|it| {
                it.starts_with("tollkeeper_verification_state{") && it.ends_with(" 1")
            });
            metrics.contains(&line) && ones.count() == 1
        })
        .await;
    }

    // With the database alone all is known again; the broker has nothing to add.
    database.resume();
    for node in [&denying, &allowing] {
        in_state(node, "live").await;
        let answer = forward_auth(node, text(ended_meanwhile, "token"), "").await;
        unsigned_problem(&answer, 401, "REVOKED");
        for token in [kept, cold] {
            wait_for("the token to pass", async || {
                forward_auth(node, text(token, "token"), "").await.status == 200
            })
            .await;
        }
    }
    broker.resume();
}
