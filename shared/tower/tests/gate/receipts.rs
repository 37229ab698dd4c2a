//! A gate is a node: whoever revokes is told of it.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use tollkeeper_testkit::{FaultProxy, wait_for};
use tollkeeper_tower::Gate;

use crate::support::{House, Reads, code, started, status};

fn names(receipt: &Value, member: &str, gate: &Gate) -> bool {
    let nodes = receipt[member].as_array().expect("nodes");
    let id = gate.node_id().to_string();
    nodes.iter().any(|node| node["id"] == *id)
}

fn guarded(gate: &Gate) -> Router {
    Router::new()
        .route("/", get(async || "passed"))
        .layer(gate.layer())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_to_be_applied_is_denied_with_and_without_the_broker_by_postgres() {
    what_was_told_to_be_applied_is_denied_with_and_without_the_broker(Reads::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_to_be_applied_is_denied_with_and_without_the_broker_by_the_api() {
    what_was_told_to_be_applied_is_denied_with_and_without_the_broker(Reads::Api).await;
}

async fn what_was_told_to_be_applied_is_denied_with_and_without_the_broker(reads: Reads) {
    let house = House::where_gates_read(reads).await;
    let broker = FaultProxy::start(house.stack.nats.address()).await;
    let gate = {
        let mut config = house.config();
        let url = format!("nats://{}", broker.address());
        config.nats.servers = tollkeeper_tower::Secret::new(url);
        started(config).await
    };
    let app = guarded(&gate);
    let account = house.operator.account("mill").await;
    for cut in [false, true] {
        if cut {
            broker.cut();
        }
        let token = house.issue_for(&account, json!({})).await;
        assert_eq!(status(&app, &token).await, 200);
        let path = format!("/v1/tokens/{}?wait=applied", token.id);
        let receipt = house.operator.delete(&path).await.expect(200);
        assert!(names(&receipt, "applied", &gate), "{receipt}");
        assert_eq!(receipt["pending"], json!([]));
        assert_eq!(code(&app, &token).await, "REVOKED", "cut: {cut}");
    }
    let nodes = house.operator.get("/v1/nodes").await.expect(200);
    let id = gate.node_id().to_string();
    let listed = |nodes: &Value| {
        let nodes = nodes["items"].as_array().unwrap().iter();
        nodes
            .filter(|node| node["id"] == *id)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(&nodes)[0]["name"], "a service");

    // Nobody waits for a gate that has said that it ends.
    broker.resume();
    assert!(gate.shutdown().await.complete);
    let nodes = house.operator.get("/v1/nodes").await.expect(200);
    assert_eq!(listed(&nodes), Vec::<Value>::new());
    let token = house.issue_for(&account, json!({})).await;
    assert_eq!(code(&app, &token).await, "UNAVAILABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_cannot_be_reached_is_named_until_it_answers_nothing_more_by_postgres() {
    a_gate_that_cannot_be_reached_is_named_until_it_answers_nothing_more(Reads::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_cannot_be_reached_is_named_until_it_answers_nothing_more_by_the_api() {
    a_gate_that_cannot_be_reached_is_named_until_it_answers_nothing_more(Reads::Api).await;
}

async fn a_gate_that_cannot_be_reached_is_named_until_it_answers_nothing_more(reads: Reads) {
    let house = House::where_gates_read(reads).await;
    let proxy = FaultProxy::start(house.origin()).await;
    let gate = {
        let mut config = house.config();
        config.source = house.source(proxy.address());
        config.engine.stale_limit = Duration::from_secs(4);
        started(config).await
    };
    let app = guarded(&gate);
    let token = house.issue(json!({})).await;
    assert_eq!(status(&app, &token).await, 200);

    proxy.cut();
    let path = format!("/v1/tokens/{}?wait=applied", token.id);
    let receipt = house.operator.delete(&path).await.expect(200);
    assert!(!names(&receipt, "applied", &gate), "{receipt}");
    // By the broker's hint, or because its time is over.
    wait_for("the gate to let it pass no more", async || {
        status(&app, &token).await != 200
    })
    .await;
    let id = gate.node_id().to_string();
    wait_for("nobody to wait for it", async || {
        let nodes = house.operator.get("/v1/nodes").await.expect(200);
        let mut nodes = nodes["items"].as_array().unwrap().iter();
        nodes.any(|node| node["id"] == *id && node["may_answer"] == false)
    })
    .await;
    assert_ne!(status(&app, &token).await, 200);

    proxy.resume();
    wait_for("the gate to know", async || {
        code(&app, &token).await == "REVOKED"
    })
    .await;
}
