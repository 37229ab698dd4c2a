//! Quotas in process: a use is counted once, and every node hears of it.

use axum::Router;
use axum::routing::get;
use serde_json::json;
use tollkeeper_testkit::wait_for;
use tollkeeper_tower::Gate;
use uuid::Uuid;

use crate::support::{House, Reads, Token, ask, code, started, status};

/// A token that has so many uses, and no more.
async fn counted(house: &House, limit: u32) -> Token {
    let quotas = json!([{ "name": "calls", "limit": limit }]);
    house
        .issue(json!({ "scopes": ["read"], "quotas": quotas }))
        .await
}

/// What a router tells of the quota.
async fn told(app: &Router, token: &Token) -> String {
    let answer = ask(app, token.request("/")).await;
    let state = answer.headers().get("ratelimit");
    state.map_or_else(String::new, |state| state.to_str().unwrap().to_owned())
}

/// What is counted of it.
async fn used(house: &House, token: &Token) -> i64 {
    let owner: Uuid = token.id.parse().unwrap();
    let used: Option<i64> =
        sqlx::query_scalar("select sum(used)::bigint from quota_balances where owner = $1")
            .bind(owner)
            .fetch_one(&house.stack.database.pool)
            .await
            .unwrap();
    used.unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn gates_hear_of_one_another_by_postgres() {
    gates_hear_of_one_another(Reads::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gates_hear_of_one_another_by_the_api() {
    gates_hear_of_one_another(Reads::Api).await;
}

async fn gates_hear_of_one_another(reads: Reads) {
    let mut house = House::where_gates_read(reads).await;
    let _ingestor = house.stack.ingestor(&[]).await;
    let token = counted(&house, 6).await;
    let gate = house.gate().await;
    let mut elsewhere = house.config();
    elsewhere.spool.dir.set_file_name("the spool of another");
    let other = started(elsewhere).await;
    let app = |gate: &Gate| {
        Router::new()
            .route("/", get(async || "done"))
            .layer(gate.layer().cost(2))
    };
    // More than there ever is: it takes nothing, and tells what is left.
    let too_dear = |gate: &Gate| {
        let never = Router::new().route("/", get(async || "never"));
        never.layer(gate.layer().cost(7))
    };
    let (here, there) = (app(&gate), app(&other));
    assert_eq!(told(&here, &token).await, "\"quota:calls\";r=4");
    wait_for("what is used here to be counted", async || {
        used(&house, &token).await == 2
    })
    .await;
    // A token that is read has what is counted with it.
    assert_eq!(told(&there, &token).await, "\"quota:calls\";r=2");
    let heard = async |gate: &Gate, state: &str| {
        let too_dear = too_dear(gate);
        wait_for("what is used elsewhere to be known", async || {
            told(&too_dear, &token).await == state
        })
        .await;
    };
    heard(&gate, "\"quota:calls\";r=2").await;
    assert_eq!(told(&here, &token).await, "\"quota:calls\";r=0");
    assert_eq!(code(&here, &token).await, "QUOTA_EXCEEDED");
    heard(&other, "\"quota:calls\";r=0").await;
    let refused = ask(&there, token.request("/")).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["x-tollkeeper-code"], "QUOTA_EXCEEDED");
    assert!(!refused.headers().contains_key("retry-after"));
    for gate in [gate, other] {
        assert!(gate.shutdown().await.complete);
    }
    assert_eq!(used(&house, &token).await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_within_each_other_take_one_use_at_the_cost_of_the_outermost() {
    let mut house = House::new().await;
    let _ingestor = house.stack.ingestor(&[]).await;
    let gate = house.gate().await;
    let token = counted(&house, 5).await;
    let app = Router::new()
        .route("/", get(async || "read"))
        .route_layer(gate.layer().scopes(["read"]).unwrap().cost(100))
        .layer(gate.layer().cost(2));
    for left in ["3", "1"] {
        let state = format!("\"quota:calls\";r={left}");
        assert_eq!(told(&app, &token).await, state);
    }
    assert_eq!(status(&app, &token).await, 429);
    // What a layer further in refuses was let through by the one outside of it, and stays used.
    let strict = Router::new()
        .route("/", get(async || "written"))
        .route_layer(gate.layer().scopes(["write"]).unwrap())
        .layer(gate.layer());
    assert_eq!(status(&strict, &token).await, 403);
    assert_eq!(code(&strict, &token).await, "QUOTA_EXCEEDED");
    assert!(gate.shutdown().await.complete);
    wait_for("the uses to be counted", async || {
        used(&house, &token).await == 5
    })
    .await;
    assert_eq!(house.counted(&token, 5).await.len(), 5);
}
