//! `tollkeeper rollups` as an operator runs it: what it says, and with which code it ends.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::process::{Command, Output};

use chrono::Days;
use serde_json::{Value, json};
use sqlx::Executor;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_testkit::{Stack, TestDatabase, wait_for};

async fn run(database: &TestDatabase, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollkeeper"));
    command
        .arg("rollups")
        .args(arguments)
        .env("TOLLKEEPER_DATABASE_URL", &database.url);
    let done = tokio::task::spawn_blocking(move || command.output()).await;
    done.unwrap().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn day(ago: u64) -> String {
    let today = SystemClock.now().date_naive();
    (today - Days::new(ago)).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_told_and_put_right() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let account = operator.account("acme").await;
    let made = operator.issue(&account, json!({})).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let caller = api.bearer(made["token"].as_str().unwrap());
    for _ in 0..7 {
        caller.get("/v1/forward-auth/orders").await.expect(200);
    }
    let database = &stack.database;
    wait_for("the calls to be counted", async || {
        let rows = "select count(*) from api_token_usage";
        let rows: i64 = sqlx::query_scalar(rows)
            .fetch_one(&database.pool)
            .await
            .unwrap();
        rows == 7
    })
    .await;
    let (from, to) = (day(1), day(0));
    let period = ["--from", from.as_str(), "--to", to.as_str()];
    let with = |first: &'static str, more: &[&'static str]| {
        let all = [first]
            .into_iter()
            .chain(period)
            .chain(more.iter().copied());
        all.map(str::to_owned).collect::<Vec<_>>()
    };
    let run = async |arguments: Vec<String>| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(database, &arguments).await
    };
    let equal = run(with("verify", &[])).await;
    assert_eq!(equal.status.code(), Some(0), "{equal:?}");
    assert_eq!(text(&equal.stdout), "the sums are what the rows say\n");

    let damage = "update api_token_usage_totals set usage_count = 9;
        update api_token_usage_hourly set requests = requests + 1;
        delete from api_token_usage_daily";
    database.pool.execute(damage).await.unwrap();
    let differs = run(with("verify", &[])).await;
    assert_eq!(differs.status.code(), Some(1), "{differs:?}");
    let complaints = text(&differs.stderr);
    for line in [
        format!("{id} hour "),
        ":00Z: 8 requests, 7 by the rows".to_owned(),
        format!("{id} day {}T00:00Z: 0 requests, 8 by the hours", day(0)),
        format!("{id} total: 9 requests, 0 by the days"),
        format!(
            "{id} day of all endpoints {}T00:00Z: 7 requests, 0 by the",
            day(0)
        ),
        format!("account {account} hour "),
        ":00Z: 7 requests, 8 by the hours of its tokens".to_owned(),
        "5 sums are not what the rows say".to_owned(),
    ] {
        assert!(complaints.contains(&line), "{line}: {complaints}");
    }

    let rebuilt = run(with("rebuild", &["--output", "json"])).await;
    assert_eq!(rebuilt.status.code(), Some(0), "{rebuilt:?}");
    let answer: Value = serde_json::from_slice(&rebuilt.stdout).unwrap();
    assert_eq!(answer["replaced"], json!(true));
    assert_eq!(answer["differences"][0]["sums"], json!("hours"));
    assert_eq!(answer["differences"][0]["token_id"], json!(id));
    let again = run(with("verify", &["--output", "json"])).await;
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(
        again,
        json!({ "differing": 0, "differences": [], "not_kept": [] })
    );
    let noted: Vec<(String, Value)> = sqlx::query_as("select action, details from audit_entries")
        .fetch_all(&database.pool)
        .await
        .unwrap();
    let period = json!({ "from": from, "to": to });
    assert_eq!(noted, [("RollupsRebuilt".to_owned(), period)]);
    let shown = operator.get(&format!("/v1/tokens/{id}")).await.expect(200);
    assert_eq!(shown["usage_count"], json!(7));
}

#[tokio::test]
async fn what_cannot_be_known_has_a_code_of_its_own() {
    let database = TestDatabase::create().await;
    let (from, to) = (day(0), day(1));
    let backwards = run(&database, &["verify", "--from", &from, "--to", &to]).await;
    assert_eq!(backwards.status.code(), Some(2));
    let complaint = format!("--from {from} is after --to {to}");
    assert!(
        text(&backwards.stderr).contains(&complaint),
        "{backwards:?}"
    );

    let wrong = run(&database, &["verify", "--from", "yesterday", "--to", &to]).await;
    assert_eq!(wrong.status.code(), Some(2));

    // Sums whose rows are gone.
    let insert = "insert into api_token_usage_hourly values
        (gen_random_uuid(), '2026-01-01T05:00:00Z', '/', 'GET', 2, 1, 0, array_fill(0::bigint, array[24]))";
    database.pool.execute(insert).await.unwrap();
    let day = ["--from", "2026-01-01", "--to", "2026-01-02"];
    for what in ["verify", "rebuild"] {
        let arguments: Vec<&str> = [what].into_iter().chain(day).collect();
        let gone = run(&database, &arguments).await;
        assert_eq!(gone.status.code(), Some(2), "{gone:?}");
        let complaint = "2026-01-01: its rows are not kept any more";
        assert!(text(&gone.stderr).contains(complaint), "{gone:?}");
    }
    let left = "select count(*) from api_token_usage_hourly";
    let left: i64 = sqlx::query_scalar(left)
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(left, 1);
}
