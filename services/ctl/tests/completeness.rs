//! How complete usage is, over the whole of Tollkeeper: a hole is found and named, and nothing that
//! only takes its time is called one.

#![allow(clippy::unwrap_used, reason = "a test")]

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{Stack, wait_for};

async fn report(operator: &Person) -> Value {
    let path = "/v1/usage/completeness?limit=200";
    operator.get(path).await.expect(200)
}

fn items(report: &Value) -> &[Value] {
    report["items"].as_array().unwrap()
}

fn sum(items: &[Value], name: &str) -> i64 {
    items.iter().map(|item| item[name].as_i64().unwrap()).sum()
}

fn complete_through(report: &Value) -> DateTime<Utc> {
    report["complete_through"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

async fn use_it(api: &Node, token: &Value, times: usize) {
    let caller = api.bearer(token["token"].as_str().unwrap());
    for _ in 0..times {
        caller.get("/v1/forward-auth/orders").await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_is_named_and_what_takes_its_time_is_not() {
    let mut stack = Stack::bare().await;
    let watching = stack.api(&[]).await;
    let watcher = watching.operator();
    let spool = tempfile::tempdir().unwrap();
    let folder = spool.path().join("spool");
    let own = [("TOLLKEEPER_SPOOL_DIR", folder.to_str().unwrap())];
    let mut api = stack.api(&own).await;
    let mut ingestor = stack.ingestor(&[]).await;
    let account = watcher.account("shop").await;
    let token = watcher.issue(&account, json!({})).await;

    use_it(&api, &token, 20).await;
    let answered = SystemClock.now();
    wait_for("all to be complete", async || {
        let report = report(&watcher).await;
        complete_through(&report) > answered && sum(items(&report), "counted") == 20
    })
    .await;
    let seen = report(&watcher).await;
    assert_eq!(sum(items(&seen), "missing"), 0, "{seen}");

    // While nobody counts, what is appended is on its way, and time stands still.
    assert!(ingestor.stop().await.success());
    use_it(&api, &token, 10).await;
    wait_for("10 to be on their way", async || {
        sum(items(&report(&watcher).await), "pending") == 10
    })
    .await;
    let later = SystemClock.now();
    let seen = report(&watcher).await;
    assert!(complete_through(&seen) < later, "{seen}");
    assert_eq!(sum(items(&seen), "missing"), 0, "{seen}");

    // The broker loses what it has, and the machine of the node is lost with its disk.
    let broker = async_nats::jetstream::new(stack.nats.client().await);
    wait_for("the broker to have them", async || {
        let mut usage = broker.get_stream("USAGE").await.unwrap();
        usage.info().await.unwrap().state.messages > 0
    })
    .await;
    api.kill();
    std::fs::remove_dir_all(&folder).unwrap();
    let usage = broker.get_stream("USAGE").await.unwrap();
    usage.purge().await.unwrap();
    ingestor.restart();
    ingestor.ready().await;

    wait_for("the node to be missed", async || {
        report(&watcher).await["vanished_sources"].as_i64() > Some(0)
    })
    .await;
    let seen = report(&watcher).await;
    let of_lost = |item: &&Value| item["state"] == "vanished" && item["missing"] != 0;
    let lost: Vec<Value> = items(&seen).iter().filter(of_lost).cloned().collect();
    assert_eq!(sum(&lost, "missing"), 10, "{seen}");
    assert_eq!(sum(items(&seen), "pending"), 0, "{seen}");
    for source in &lost {
        let ranges = source["missing_ranges"].as_array().unwrap();
        let named: i64 = ranges
            .iter()
            .map(|range| range["last"].as_i64().unwrap() - range["first"].as_i64().unwrap() + 1)
            .sum();
        assert_eq!(source["missing"], named, "{source}");
    }
    assert!(complete_through(&seen) < later, "{seen}");

    // Nobody brings it back, so it is given up as a whole: time goes on.
    let pool = &stack.database.pool;
    assert_eq!(give_up(pool, &lost[0]["source"]).await, Ok(10));
    wait_for("time to go on", async || {
        let report = report(&watcher).await;
        report["vanished_sources"] == 0 && complete_through(&report) > later
    })
    .await;
    let seen = report(&watcher).await;
    assert_eq!(sum(items(&seen), "missing"), 0, "{seen}");
    assert_eq!(sum(items(&seen), "dropped"), 10, "{seen}");
    // Once is enough; what runs brings its own, and what nobody knows is no source.
    assert_eq!(give_up(pool, &lost[0]["source"]).await, Ok(0));
    let mut sources = items(&seen).iter();
    let live = sources.find(|item| item["state"] == "live").unwrap();
    let refused = give_up(pool, &live["source"]).await.unwrap_err();
    assert!(refused.contains("is running"), "{refused}");
    let refused = give_up(pool, &account.into()).await.unwrap_err();
    assert!(refused.contains("there is no source"), "{refused}");
}

/// How many events are given up with the process of this source.
async fn give_up(pool: &PgPool, source: &Value) -> Result<i64, String> {
    let numbers = "select coalesce(sum(last - first + 1), 0)::bigint from usage_give_up($1::uuid)";
    let given_up = sqlx::query_scalar(numbers).bind(source.as_str().unwrap());
    given_up
        .fetch_one(pool)
        .await
        .map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_node_left_behind_is_complete_after_its_next_start() {
    let mut stack = Stack::bare().await;
    let watching = stack.api(&[]).await;
    let watcher = watching.operator();
    let mut api = stack.api(&[]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let account = watcher.account("shop").await;
    let token = watcher.issue(&account, json!({})).await;
    // One lane at most is used; the others end as well.
    use_it(&api, &token, 1).await;
    api.kill();
    wait_for("the node to be missed", async || {
        report(&watcher).await["vanished_sources"].as_i64() > Some(0)
    })
    .await;
    let before = SystemClock.now();
    assert!(complete_through(&report(&watcher).await) < before);

    api.restart();
    api.ready().await;
    wait_for("what it left to be complete", async || {
        let report = report(&watcher).await;
        let closed = items(&report)
            .iter()
            .filter(|item| item["state"] == "closed");
        let closed: Vec<Value> = closed.cloned().collect();
        sum(&closed, "counted") == 1 && closed.iter().all(|item| item["complete"] == true)
    })
    .await;
    wait_for("time to go on", async || {
        let report = report(&watcher).await;
        report["vanished_sources"] == 0 && complete_through(&report) > before
    })
    .await;
}
