//! Quotas over the whole of Tollkeeper: two APIs judge, an ingestor counts, and nothing is used twice
//! or of another balance.

#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Answer, Node, Person};
use tollkeeper_testkit::{Stack, wait_for};
use uuid::Uuid;

/// A request that a proxy asks about.
async fn request(api: &Node, token: &str) -> Answer {
    api.bearer(token).get("/v1/forward-auth/orders").await
}

/// What an API knows to be left, without any use.
async fn left(asker: &Person, token: &str) -> Option<u64> {
    let look = json!({ "token": token, "cost": 0 });
    let told = asker.post("/v1/verify", look).await.expect(200);
    told["quotas"][0]["remaining"].as_u64()
}

async fn knows(asker: &Person, token: &str, expected: u64) {
    wait_for(&format!("{expected} to be left"), async || {
        left(asker, token).await == Some(expected)
    })
    .await;
}

/// What is counted of each generation of the token's quota.
async fn counted(stack: &Stack, token: &Value) -> Vec<(i32, i64)> {
    let owner: Uuid = token["id"].as_str().unwrap().parse().unwrap();
    sqlx::query_as(
        "select generation, sum(used)::bigint from quota_balances where owner = $1
        group by generation order by generation",
    )
    .bind(owner)
    .fetch_all(&stack.database.pool)
    .await
    .unwrap()
}

async fn counts(stack: &Stack, token: &Value, expected: &[(i32, i64)]) {
    wait_for(&format!("{expected:?} to be counted"), async || {
        counted(stack, token).await == expected
    })
    .await;
}

#[track_caller]
fn refused(answer: &Answer) {
    let body = answer.expect(429);
    assert_eq!(body["code"], "QUOTA_EXCEEDED", "{body}");
    assert_eq!(answer.header("x-tollkeeper-code"), Some("QUOTA_EXCEEDED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn uses_are_counted_over_nodes_and_a_refill_begins_anew() {
    let mut stack = Stack::bare().await;
    let nodes = [stack.api(&[]).await, stack.api(&[]).await];
    let operators = [nodes[0].operator(), nodes[1].operator()];
    let mut ingestor = stack.ingestor(&[]).await;
    let account = operators[0].account("shop").await;
    // Never full again by itself: no midnight comes between.
    let fields = json!({ "quotas": [{ "name": "calls", "limit": 3 }] });
    let token = operators[0].issue(&account, fields).await;
    let secret = token["token"].as_str().unwrap();

    // Two here and one there: whoever has heard of all three refuses.
    for (at, node) in [(2, &nodes[0]), (1, &nodes[0]), (0, &nodes[1])] {
        for operator in &operators {
            knows(operator, secret, at + 1).await;
        }
        let answer = request(node, secret).await;
        answer.expect(200);
        let state = format!("\"quota:calls\";r={at}");
        assert_eq!(answer.header("ratelimit"), Some(&*state));
    }
    for (node, operator) in nodes.iter().zip(&operators) {
        knows(operator, secret, 0).await;
        let answer = request(node, secret).await;
        refused(&answer);
        assert_eq!(answer.header("retry-after"), None, "waiting is of no use");
    }
    counts(&stack, &token, &[(1, 3)]).await;

    // While nothing is counted, one more use is on its way when the quota is refilled.
    let path = format!("/v1/tokens/{}", token["id"].as_str().unwrap());
    let more = json!({ "quotas": [{ "name": "calls", "limit": 4 }] });
    operators[0].patch(&path, more).await.expect(200);
    assert!(ingestor.stop().await.success());
    knows(&operators[0], secret, 1).await;
    request(&nodes[0], secret).await.expect(200);
    refused(&request(&nodes[0], secret).await);
    let refill = format!("{path}/quotas/calls/refill?wait=applied");
    operators[0].post(&refill, json!({})).await.expect(200);
    for (node, operator) in nodes.iter().zip(&operators) {
        knows(operator, secret, 4).await;
        request(node, secret).await.expect(200);
    }
    ingestor.restart();
    counts(&stack, &token, &[(1, 4), (2, 2)]).await;
    for operator in &operators {
        knows(operator, secret, 2).await;
    }

    // A node that starts anew finds what is counted, its own uses among it.
    let mut nodes = nodes;
    assert!(nodes[0].stop().await.success());
    nodes[0].restart();
    nodes[0].ready().await;
    knows(&operators[0], secret, 2).await;
    request(&nodes[0], secret).await.expect(200);
    request(&nodes[0], secret).await.expect(200);
    refused(&request(&nodes[0], secret).await);
    counts(&stack, &token, &[(1, 4), (2, 4)]).await;
}
