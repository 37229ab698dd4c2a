//! From one NATS server to three, as `docs/scaling.md` tells it.

use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{Stack, TestCluster, wait_for};

use crate::world::apply;

async fn use_it(api: &Node, token: &Value) {
    let caller = api.bearer(token["token"].as_str().unwrap());
    for _ in 0..50 {
        caller.get("/v1/forward-auth/orders").await.expect(200);
    }
}

async fn counted(operator: &Person, token: &Value) -> Option<u64> {
    let path = format!("/v1/tokens/{}", token["id"].as_str().unwrap());
    operator.get(&path).await.expect(200)["usage_count"].as_u64()
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_moves_from_one_server_to_a_cluster_and_is_counted_once() {
    let mut stack = Stack::bare().await;
    let spool = tempfile::tempdir().unwrap();
    let spool = [("TOLLKEEPER_SPOOL_DIR", spool.path().to_str().unwrap())];
    let mut api = stack.api(&spool).await;
    let operator = api.operator();
    let account = operator.account("shop").await;
    let token = operator.issue(&account, json!({})).await;
    // Nobody has counted yet what the server holds.
    use_it(&api, &token).await;
    let server = async_nats::jetstream::new(stack.nats.client().await);
    let waiting = async || {
        let usage = server.get_stream("USAGE").await.unwrap();
        usage.cached_info().state.messages
    };
    wait_for("the server to hold it", async || waiting().await > 0).await;

    let cluster = TestCluster::start().await;
    wait_for("the streams to be applied", async || {
        apply(&cluster, Some("3")).status.success()
    })
    .await;
    let url = cluster.url();
    let there = ("TOLLKEEPER_NATS_URL", url.as_str());
    let _ingestor = stack.ingestor(&[there]).await;
    assert!(api.stop().await.success());
    let api = stack.api(&[spool[0], there]).await;
    use_it(&api, &token).await;
    let operator = api.operator();
    wait_for("all to be counted from the cluster", async || {
        counted(&operator, &token).await == Some(100)
    })
    .await;

    // The server has it all the same.
    assert!(waiting().await > 0);
    let _late = stack.ingestor(&[]).await;
    wait_for("the server to be empty", async || waiting().await == 0).await;
    assert_eq!(counted(&operator, &token).await, Some(100));
}
