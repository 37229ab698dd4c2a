//! The books are wrong, or incomplete, or not kept.

use std::path::Path;
use std::process::Command;

use chrono::{Days, SecondsFormat, TimeDelta};
use serde_json::{Value, json};
use sqlx::Executor;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_dashboards::files::{of_repository, read};
use tollkeeper_dashboards::world::World;
use tollkeeper_testkit::{binary, wait_for};

use crate::Seen;

const LETTERS: &str = "TollkeeperDeadLetters";
const DIFFERING: &str = "TollkeeperUsageAuditDiffering";
const NOT_RUN: &str = "TollkeeperUsageAuditNotRun";
const PARTITIONS: &str = "TollkeeperPartitionsMissing";
const GAP: &str = "TollkeeperLedgerGap";

async fn change(world: &World, sql: &'static str) {
    world.stack.database.pool.execute(sql).await.unwrap();
}

/// A command that talks to the database or the API, as runbooks name it.
async fn tollkeeper(world: &World, arguments: &[&str]) -> String {
    let mut command = Command::new(binary("tollkeeper"));
    command
        .args(arguments)
        .env_clear()
        .env("TOLLKEEPER_DATABASE_URL", &world.stack.database.url)
        .env("TOLLKEEPER_URL", format!("http://{}", world.apis[0].public))
        .env("TOLLKEEPER_API_KEY", world.operator_key());
    let done = tokio::task::spawn_blocking(move || command.output()).await;
    let done = done.unwrap().unwrap();
    assert!(done.status.success(), "{arguments:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap()
}

/// A token, to be used at the last API.
async fn token(world: &World, account: &str) -> Value {
    let operator = world.apis[0].operator();
    operator
        .issue(&operator.account(account).await, json!({}))
        .await
}

async fn use_it(world: &World, token: &Value, path: &str) {
    let caller = world
        .apis
        .last()
        .unwrap()
        .bearer(token["token"].as_str().unwrap());
    let path = format!("/v1/forward-auth/{path}?from=path");
    caller.get(&path).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_counted_is_told_until_it_is() {
    let world = World::start(&[&[]]).await;
    let mut seen = Seen::quiet(&world, &[LETTERS]).await;
    change(
        &world,
        "alter table api_token_usage add constraint no_tea check (endpoint <> '/tea')",
    )
    .await;
    let token = token(&world, "shop").await;
    use_it(&world, &token, "tea").await;
    seen.fires(&world, LETTERS).await;
    change(&world, "alter table api_token_usage drop constraint no_tea").await;
    tollkeeper(&world, &["dead-letters", "replay", "--all"]).await;
    seen.clears(&world, LETTERS).await;
    seen.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_that_are_wrong_or_not_looked_at_and_missing_days_are_told() {
    let mut world = World::start(&[&[]]).await;
    let mut seen = Seen::quiet(&world, &[DIFFERING]).await;
    let token = token(&world, "shop").await;
    // Whichever hour is the last whole one when the audit comes.
    let now = SystemClock.now();
    for (number, hours) in [(1, 0), (2, 1)] {
        let time = now - TimeDelta::hours(hours);
        let event = json!({
            "id": format!("call-{number}"), "token_id": token["id"], "endpoint": "/orders", "method": "GET",
            "status": 200, "response_time_us": 900,
            "timestamp": time.to_rfc3339_opts(SecondsFormat::Micros, true),
        });
        let body = json!({ "events": [event] });
        world.apis[0]
            .operator()
            .post("/v1/usage", body)
            .await
            .expect(200);
    }
    let pool = world.stack.database.pool.clone();
    wait_for("both to be counted", async || {
        let count = sqlx::query_scalar("select count(*) from api_token_usage");
        let count: i64 = count.fetch_one(&pool).await.unwrap();
        count == 2
    })
    .await;

    change(
        &world,
        "update api_token_usage_hourly set requests = requests + 1",
    )
    .await;
    assert!(world.ingestor.stop().await.success());
    world.ingestor.restart();
    seen.fires(&world, DIFFERING).await;
    let day = |days: u64| (SystemClock.now().date_naive() - Days::new(days)).to_string();
    tollkeeper(
        &world,
        &["rollups", "rebuild", "--from", &day(1), "--to", &day(0)],
    )
    .await;
    assert!(world.ingestor.stop().await.success());
    world.ingestor.restart();
    wait_for("another audit", async || {
        let audited = "tollkeeper_usage_audit_timestamp_seconds > 0";
        let found = world.prometheus.at(audited, world.range().to).await;
        found.is_ok_and(|series| !series.is_empty())
    })
    .await;
    seen.clears(&world, DIFFERING).await;

    // The next audit cannot come to its end.
    assert!(world.ingestor.stop().await.success());
    change(
        &world,
        "alter function usage_totals_different rename to somewhere_else",
    )
    .await;
    world.ingestor.restart();
    seen.fires(&world, NOT_RUN).await;
    change(
        &world,
        "alter function somewhere_else rename to usage_totals_different",
    )
    .await;
    assert!(world.ingestor.stop().await.success());
    world.ingestor.restart();
    seen.clears(&world, NOT_RUN).await;

    change(
        &world,
        "select usage_partition_drop(current_date + days) from generate_series(1, 8) as days",
    )
    .await;
    seen.fires(&world, PARTITIONS).await;
    // By hand, as the runbook says; the others are made by the ingestor when it starts.
    change(&world, "select usage_partition_create(current_date + 1)").await;
    assert!(world.ingestor.stop().await.success());
    world.ingestor.restart();
    seen.clears(&world, PARTITIONS).await;
    seen.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_does_not_come_back_is_missed_until_it_does_or_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let aside = folder.path().join("aside");
    let own = [("TOLLKEEPER_SPOOL_DIR", spool.to_str().unwrap())];
    let mut world = World::start(&[&[], &own]).await;
    let mut seen = Seen::quiet(&world, &[GAP]).await;
    let token = token(&world, "shop").await;

    lose(&mut world, &token, &spool, &aside).await;
    seen.fires(&world, GAP).await;
    // The folder comes back.
    std::fs::rename(&aside, &spool).unwrap();
    world.apis[1].restart();
    world.apis[1].ready().await;
    seen.clears(&world, GAP).await;

    lose(&mut world, &token, &spool, &aside).await;
    seen.fires(&world, GAP).await;
    // It never will: what the runbook says.
    let told = tollkeeper(
        &world,
        &["usage", "completeness", "--incomplete", "--output", "json"],
    )
    .await;
    let told: Value = serde_json::from_str(&told).unwrap();
    let mut sources = told["items"].as_array().unwrap().iter();
    let lost = sources.find(|source| source["missing"] != 0).unwrap();
    give_up(&world, lost["source"].as_str().unwrap()).await;
    seen.clears(&world, GAP).await;
    seen.end();
}

/// Runs what the runbook says of a process whose spool is lost, by one of its sources.
async fn give_up(world: &World, source: &str) {
    let runbook = read(&of_repository("docs/runbooks/ledger-gap.md"));
    let (_, rest) = runbook.split_once("# Give up what was in it.\n").unwrap();
    let (commands, _) = rest.split_once("```").unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-e", "-c", commands])
        .env("SOURCE", source)
        .env("TOLLKEEPER_DATABASE_URL", &world.stack.database.url);
    let done = tokio::task::spawn_blocking(move || command.output()).await;
    let done = done.unwrap().unwrap();
    assert!(done.status.success(), "{done:?}");
}

/// The second API is killed with calls in its spool, the folder is gone, and so is what the broker had.
async fn lose(world: &mut World, token: &Value, spool: &Path, aside: &Path) {
    assert!(world.ingestor.stop().await.success());
    for _ in 0..10 {
        use_it(world, token, "orders").await;
    }
    let broker = world.broker().await;
    wait_for("the broker to have them", async || {
        let mut usage = broker.get_stream("USAGE").await.unwrap();
        usage.info().await.unwrap().state.messages > 0
    })
    .await;
    let pool = world.stack.database.pool.clone();
    wait_for("the node to have said so", async || {
        let appended = "select coalesce(sum(number), 0)::bigint
            from usage_reporters, unnest(appended) as number
            where ended_at is null and seen_at > now() - interval '5 seconds'";
        let appended: i64 = sqlx::query_scalar(appended).fetch_one(&pool).await.unwrap();
        appended >= 10
    })
    .await;
    world.apis[1].kill();
    std::fs::rename(spool, aside).unwrap();
    broker
        .get_stream("USAGE")
        .await
        .unwrap()
        .purge()
        .await
        .unwrap();
    world.ingestor.restart();
}
