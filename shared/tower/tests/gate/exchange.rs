//! Rate limits that gates and API nodes keep together.

use axum::Router;
use axum::routing::get;
use http::HeaderMap;
use serde_json::json;
use tollkeeper_testkit::{FaultProxy, wait_for};
use tollkeeper_tower::{Gate, Secret};

use crate::support::{House, Token, ask, code, started, status};

/// Of which nothing comes back while a test runs.
async fn limited(house: &House, account: &str, limit: u32) -> Token {
    let limits = json!([{ "name": "calls", "limit": limit, "window_seconds": 86_400 }]);
    let account = house.operator.account(account).await;
    house
        .issue_for(&account, json!({ "rate_limits": limits }))
        .await
}

/// A gate with a name and a spool of its own, and the broker at this address.
async fn another(house: &House, name: &str, broker: &str) -> Gate {
    let mut config = house.config();
    name.clone_into(&mut config.name);
    config.spool.dir = config.spool.dir.join(name);
    config.nats.servers = Secret::new(broker);
    started(config).await
}

fn guarded(gate: &Gate) -> Router {
    Router::new()
        .route("/", get(async || "passed"))
        .layer(gate.layer())
}

/// Waits until it hears so many of so many nodes.
async fn shares_with(gate: &Gate, heard: u32, nodes: u32) {
    wait_for("the other nodes to be heard or missed", async || {
        let status = gate.status();
        (status.nodes_heard, status.nodes_sharing) == (heard, nodes)
    })
    .await;
}

/// Waits until a gate knows that so much is left. What costs more than may be had at once is refused and
/// charged nothing, and told how much there is.
async fn knows(gate: &Gate, token: &Token, left: u32) {
    let look = Router::new()
        .route("/", get(async || "passed"))
        .layer(gate.layer().cost(1_000));
    wait_for("what other nodes let through", async || {
        let answer = ask(&look, token.request("/")).await;
        assert_eq!(answer.status(), 429);
        remaining(answer.headers()) == left
    })
    .await;
}

fn remaining(headers: &HeaderMap) -> u32 {
    let told = headers["ratelimit"].to_str().unwrap();
    let told = told.strip_prefix("\"calls\";r=").unwrap();
    let digits = told.split(';').next().unwrap();
    digits.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn gates_and_the_api_let_through_one_limit_together() {
    let house = House::new().await;
    let broker = house.stack.nats.url();
    let one = another(&house, "one", &broker).await;
    let other = another(&house, "other", &broker).await;
    for gate in [&one, &other] {
        shares_with(gate, 3, 3).await;
    }
    let token = limited(&house, "shop", 10).await;
    let verify = async |cost: u32| {
        let question = json!({ "token": token.secret, "cost": cost });
        house
            .operator
            .post("/v1/verify", question)
            .await
            .expect(200)
    };
    let (at_one, at_other) = (guarded(&one), guarded(&other));
    for _ in 0..3 {
        assert_eq!(status(&at_one, &token).await, 200);
    }
    knows(&other, &token, 7).await;
    for _ in 0..4 {
        assert_eq!(status(&at_other, &token).await, 200);
    }
    knows(&one, &token, 3).await;
    wait_for("the API to hear of both", async || {
        verify(0).await["rate_limits"][0]["remaining"] == 3
    })
    .await;
    assert_eq!(verify(3).await["code"], "VALID");
    for (gate, app) in [(&one, &at_one), (&other, &at_other)] {
        knows(gate, &token, 0).await;
        assert_eq!(code(app, &token).await, "RATE_LIMITED");
    }
    assert_eq!(verify(1).await["code"], "RATE_LIMITED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_is_cut_off_keeps_to_its_share_and_comes_back() {
    let house = House::new().await;
    let proxy = FaultProxy::start(house.stack.nats.address()).await;
    let cut = another(&house, "cut", &format!("nats://{}", proxy.address())).await;
    let other = another(&house, "other", &house.stack.nats.url()).await;
    for gate in [&cut, &other] {
        shares_with(gate, 3, 3).await;
    }
    let token = limited(&house, "shop", 9).await;
    let (at_cut, at_other) = (guarded(&cut), guarded(&other));

    proxy.cut();
    shares_with(&cut, 1, 3).await;
    for _ in 0..3 {
        assert_eq!(status(&at_cut, &token).await, 200);
    }
    assert_eq!(code(&at_cut, &token).await, "RATE_LIMITED");
    // The others leave it its share, as they cannot know whether it goes on.
    shares_with(&other, 2, 3).await;
    for _ in 0..6 {
        assert_eq!(status(&at_other, &token).await, 200);
    }
    assert_eq!(code(&at_other, &token).await, "RATE_LIMITED");

    proxy.resume();
    shares_with(&cut, 3, 3).await;
    let fresh = limited(&house, "mill", 9).await;
    for _ in 0..9 {
        assert_eq!(status(&at_cut, &fresh).await, 200);
    }
    knows(&other, &fresh, 0).await;

    // Who takes leave is not waited for.
    shares_with(&other, 3, 3).await;
    cut.shutdown().await;
    shares_with(&other, 2, 2).await;
}
