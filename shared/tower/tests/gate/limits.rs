//! Rate limits in process: charged once a request, whatever number of layers it passes.

use axum::Router;
use axum::routing::get;
use serde_json::json;
use tollkeeper_domain::verdict::Verdict;

use crate::support::{House, Token, ask, status};

/// A token that may do so much in an hour.
async fn limited(house: &House, account: &str, limit: u32) -> Token {
    let limits = json!([{ "name": "calls", "limit": limit, "window_seconds": 3600 }]);
    let fields = json!({ "scopes": ["read"], "rate_limits": limits });
    let account = house.operator.account(account).await;
    house.issue_for(&account, fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_within_each_other_charge_a_request_once() {
    let mut house = House::new().await;
    let _ingestor = house.stack.ingestor(&[]).await;
    let gate = house.gate().await;
    let token = limited(&house, "shop", 3).await;
    let app = Router::new()
        .route("/", get(async || "read"))
        .route_layer(gate.layer().scopes(["read"]).unwrap())
        .layer(gate.layer());
    for left in ["2", "1", "0"] {
        let answer = ask(&app, token.request("/")).await;
        assert_eq!(answer.status(), 200);
        let told: Vec<_> = answer.headers().get_all("ratelimit").iter().collect();
        let [told] = told.as_slice() else {
            panic!("told {} times", told.len());
        };
        let told = told.to_str().unwrap();
        assert!(told.starts_with(&format!("\"calls\";r={left}")), "{told}");
    }
    let refused = ask(&app, token.request("/")).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["x-tollkeeper-code"], "RATE_LIMITED");
    assert!(refused.headers().contains_key("retry-after"));
    assert!(gate.shutdown().await.complete);
    let mut expected = vec![(200, Verdict::Valid); 3];
    expected.push((429, Verdict::RateLimited));
    assert_eq!(house.counted(&token, 4).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_says_what_a_request_costs() {
    let house = House::new().await;
    let gate = house.gate().await;
    let dear = Router::new()
        .route("/", get(async || "made"))
        .layer(gate.layer().cost(2));
    let free = Router::new()
        .route("/", get(async || "seen"))
        .layer(gate.layer().cost(0));
    let token = limited(&house, "shop", 3).await;
    assert_eq!(status(&dear, &token).await, 200);
    assert_eq!(status(&dear, &token).await, 429);
    assert_eq!(status(&free, &token).await, 200);

    // Further in, a cost comes on top.
    let token = limited(&house, "mill", 3).await;
    let app = dear.layer(gate.layer());
    assert_eq!(status(&app, &token).await, 200);
    assert_eq!(status(&app, &token).await, 429);
}
