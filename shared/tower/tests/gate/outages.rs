//! What a gate answers when it cannot know.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use serde_json::json;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::{FaultProxy, FixedClock, wait_for};
use tollkeeper_tower::{Gate, GateConfig, Source, StalePolicy, StartError};

use crate::support::{House, Reads, code, started, status};

fn guarded(gate: &Gate) -> Router {
    Router::new()
        .route("/", get(async || "passed"))
        .layer(gate.layer())
}

/// A gate behind a proxy to the database, on a clock that stands still.
async fn behind(house: &House, proxy: &FaultProxy, policy: StalePolicy) -> (Gate, Arc<FixedClock>) {
    let clock = Arc::new(FixedClock::at(SystemClock.now()));
    let mut config = house.config();
    config.source = house.source(proxy.address());
    config.engine.stale_policy = policy;
    config.clock = clock.clone();
    (started(config).await, clock)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_the_policy_decides_and_a_frozen_gate_knows_it_by_postgres() {
    without_the_database_the_policy_decides_and_a_frozen_gate_knows_it(Reads::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_the_policy_decides_and_a_frozen_gate_knows_it_by_the_api() {
    without_the_database_the_policy_decides_and_a_frozen_gate_knows_it(Reads::Api).await;
}

async fn without_the_database_the_policy_decides_and_a_frozen_gate_knows_it(reads: Reads) {
    for policy in [StalePolicy::Deny, StalePolicy::Allow] {
        let house = House::where_gates_read(reads).await;
        let proxy = FaultProxy::start(house.origin()).await;
        let (gate, clock) = behind(&house, &proxy, policy).await;
        let app = guarded(&gate);
        let known = house.issue(json!({})).await;
        assert_eq!(status(&app, &known).await, 200);
        let cold = house.issue_for(&known.account, json!({})).await;

        proxy.cut();
        assert_eq!(status(&app, &known).await, 200, "{policy:?}");
        assert_eq!(code(&app, &cold).await, "UNAVAILABLE", "{policy:?}");
        clock.advance(Duration::from_secs(59));
        assert_eq!(status(&app, &known).await, 200, "{policy:?}");
        clock.advance(Duration::from_secs(2));
        let beyond = code(&app, &known).await;
        match policy {
            StalePolicy::Deny => assert_eq!(beyond, "UNAVAILABLE"),
            StalePolicy::Allow => assert_eq!(beyond, "200 OK"),
        }

        proxy.resume();
        for token in [&known, &cold] {
            wait_for("the gate to know again", async || {
                status(&app, token).await == 200
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_starts_before_database_and_broker_and_refuses_until_it_knows_by_postgres() {
    a_gate_starts_before_database_and_broker_and_refuses_until_it_knows(Reads::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_starts_before_database_and_broker_and_refuses_until_it_knows_by_the_api() {
    a_gate_starts_before_database_and_broker_and_refuses_until_it_knows(Reads::Api).await;
}

async fn a_gate_starts_before_database_and_broker_and_refuses_until_it_knows(reads: Reads) {
    let house = House::where_gates_read(reads).await;
    let database = FaultProxy::start(house.origin()).await;
    let broker = FaultProxy::start(house.stack.nats.address()).await;
    database.cut();
    broker.cut();
    let mut config = house.config();
    config.source = house.source(database.address());
    config.nats.servers = tollkeeper_tower::Secret::new(format!("nats://{}", broker.address()));
    let gate = Gate::start(config.clone()).await.unwrap();
    let app = guarded(&gate);
    let token = house.issue(json!({})).await;
    assert_eq!(code(&app, &token).await, "UNAVAILABLE");
    assert!(
        matches!(Gate::start(config).await, Err(StartError::Spool(_))),
        "one gate a folder"
    );
    database.resume();
    gate.ready().await;
    assert_eq!(status(&app, &token).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_after_the_end_or_before_a_crash_is_sent_by_the_next_run_by_postgres() {
    what_was_counted_after_the_end_or_before_a_crash_is_sent_by_the_next_run(Reads::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_after_the_end_or_before_a_crash_is_sent_by_the_next_run_by_the_api() {
    what_was_counted_after_the_end_or_before_a_crash_is_sent_by_the_next_run(Reads::Api).await;
}

async fn what_was_counted_after_the_end_or_before_a_crash_is_sent_by_the_next_run(reads: Reads) {
    let mut house = House::where_gates_read(reads).await;
    let _ingestor = house.stack.ingestor(&[]).await;
    let broker = FaultProxy::start(house.stack.nats.address()).await;
    broker.cut();
    let config = GateConfig {
        drain_for: Duration::ZERO,
        ..house.config()
    };
    let token = house.issue(json!({})).await;
    let mut away = config.clone();
    away.nats.servers = tollkeeper_tower::Secret::new(format!("nats://{}", broker.address()));
    let gate = started(away).await;
    let app = guarded(&gate);
    assert_eq!(status(&app, &token).await, 200);
    assert!(!gate.shutdown().await.complete);
    // The token is known, so the call is counted, though nobody can say any more whether it may pass.
    assert_eq!(code(&app, &token).await, "UNAVAILABLE");
    drop(app);

    let gate = started(config).await;
    let expected = [(200, Verdict::Valid), (503, Verdict::Unavailable)];
    assert_eq!(house.counted(&token, 2).await, expected);
    gate.shutdown().await;
    assert_eq!(house.counted(&token, 2).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_whose_own_token_does_not_work_lets_nobody_pass() {
    let house = House::where_gates_read(Reads::Api).await;
    let token = house.issue(json!({})).await;
    let mut config = house.config();
    // It works, and may ask nothing.
    config.source = Source::api(format!("http://{}", house.api.public), &*token.secret);
    let gate = Gate::start(config.clone()).await.unwrap();
    let app = guarded(&gate);
    wait_for("the gate to be refused", async || {
        code(&app, &token).await == "UNAVAILABLE"
    })
    .await;
    let nodes = house.operator.get("/v1/nodes").await.expect(200);
    assert_eq!(nodes["items"].as_array().unwrap().len(), 1, "the API's own");
    gate.shutdown().await;
    drop(app);

    config.source = Source::api("tollkeeper.example.com", "a key");
    assert!(matches!(Gate::start(config).await, Err(StartError::Api(_))));
}
