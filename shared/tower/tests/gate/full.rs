//! A full spool that was told to refuse.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::routing::get;
use serde_json::json;
use tollkeeper_testkit::{FaultProxy, wait_for};
use tollkeeper_tower::{FullPolicy, Secret};

use crate::support::{House, Reads, code, started, status};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_that_could_not_be_counted_by_postgres() {
    nothing_is_done_that_could_not_be_counted(Reads::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_that_could_not_be_counted_by_the_api() {
    nothing_is_done_that_could_not_be_counted(Reads::Api).await;
}

async fn nothing_is_done_that_could_not_be_counted(reads: Reads) {
    let mut house = House::where_gates_read(reads).await;
    let _ingestor = house.stack.ingestor(&[]).await;
    let broker = FaultProxy::start(house.stack.nats.address()).await;
    broker.cut();
    let mut config = house.config();
    config.nats.servers = Secret::new(format!("nats://{}", broker.address()));
    config.spool.full_policy = FullPolicy::Refuse;
    config.spool.lanes = 1;
    config.spool.max_bytes = 64 << 10;
    let gate = started(config).await;
    let done = Arc::new(AtomicI64::new(0));
    let work = {
        let done = Arc::clone(&done);
        async move || {
            done.fetch_add(1, Ordering::Relaxed);
            "done"
        }
    };
    let app = Router::new().route("/", get(work)).layer(gate.layer());
    let token = house.issue(json!({})).await;
    let limits = json!([{ "name": "calls", "limit": 3, "window_seconds": 86_400 }]);
    let quotas = json!([{ "name": "all", "limit": 3 }]);
    let fields = json!({ "rate_limits": limits, "quotas": quotas });
    let account = house.operator.account("mill").await;
    let scarce = house.issue_for(&account, fields).await;

    let mut passed: i64 = 0;
    while status(&app, &token).await == 200 {
        passed += 1;
        assert!(passed < 100_000, "a spool of 64 KiB is full at some time");
    }
    assert_eq!(code(&app, &token).await, "UNAVAILABLE");
    // Whoever is refused for that has used up nothing.
    for _ in 0..10 {
        assert_eq!(code(&app, &scarce).await, "UNAVAILABLE");
    }
    assert_eq!(done.load(Ordering::Relaxed), passed);

    broker.resume();
    wait_for("room", async || status(&app, &token).await == 200).await;
    for _ in 0..3 {
        assert_eq!(status(&app, &scarce).await, 200);
    }
    assert_eq!(status(&app, &scarce).await, 429);
    let lost = i64::try_from(gate.usage().refused).unwrap();
    gate.shutdown().await;
    let done = done.load(Ordering::Relaxed);
    let counted = async || -> i64 {
        sqlx::query_scalar("select count(*) from api_token_usage where verdict = 0")
            .fetch_one(&house.stack.database.pool)
            .await
            .unwrap()
    };
    wait_for("what was done to be counted", async || {
        counted().await >= done - lost
    })
    .await;
    assert!(counted().await <= done);
}
