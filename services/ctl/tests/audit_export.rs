//! `tollkeeper audit export`: all of the audit log that was asked for, however long it is.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::process::{Command, Output};

use serde_json::{Value, json};
use sqlx::Executor;
use tollkeeper_testkit::{Stack, TestDatabase, binary};

async fn run(database: &TestDatabase, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary("tollkeeper"));
    command
        .env_clear()
        .env("TOLLKEEPER_DATABASE_URL", &database.url)
        .args(["audit", "export"])
        .args(arguments);
    let done = tokio::task::spawn_blocking(move || command.output()).await;
    done.unwrap().unwrap()
}

async fn text(database: &TestDatabase, arguments: &[&str]) -> String {
    let output = run(database, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn lines(database: &TestDatabase, arguments: &[&str]) -> Vec<Value> {
    let text = text(database, arguments).await;
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// More than two pages of entries, some of them too old, and refused attempts.
const FILL: &str = "
    insert into audit_entries (recorded_at, actor, action, subject_type, request_id)
    select now() - make_interval(mins => number), 'operator:filler', 'NodeForgotten', 'node', '-1+1'
    from generate_series(1, 2500) as number;
    insert into audit_entries (recorded_at, actor, action, subject_type)
    select now() - interval '400 days', 'operator:old', 'NodeForgotten', 'node'
    from generate_series(1, 10);
    insert into audit_refusals
        (run_id, serial, first_at, last_at, count, network, operation, status, code)
    select '01890a5d-ac96-774b-bcce-b302099a8057', number, now() - make_interval(mins => number),
        now() - make_interval(mins => number), 7, '192.0.2.0/24', 'GET /v1/tokens', 401, 'NOT_FOUND'
    from generate_series(1, 30) as number";

#[tokio::test]
async fn all_that_was_asked_for_is_written_out_and_that_is_noted_too() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("shop").await;
    let token = operator.issue(&account, json!({})).await;
    let database = &stack.database;
    database.pool.execute(FILL).await.unwrap();

    let all = lines(database, &[]).await;
    assert_eq!(all.len(), 2500 + 30 + 2 + 1);
    let newest: Vec<&str> = all.iter().map(|it| it["at"].as_str().unwrap()).collect();
    assert!(newest.is_sorted_by(|newer, older| newer >= older));
    // It tells of itself, and who it was.
    assert_eq!(all[0]["action"], "AuditExported");
    assert!(all[0]["actor"].as_str().unwrap().starts_with("database:"));
    let told = operator.get("/v1/audit?limit=200").await.expect(200);
    assert_eq!(told["items"].as_array().unwrap()[..], all[..200]);

    let refused = lines(database, &["--outcome", "refused"]).await;
    assert_eq!(refused.len(), 30);
    assert!(
        refused
            .iter()
            .all(|it| it["count"] == 7 && it["code"] == "NOT_FOUND")
    );
    let since = all[100]["at"].as_str().unwrap();
    let after = lines(database, &["--since", since, "--actor", "operator:filler"]).await;
    let expected = all[..=100]
        .iter()
        .filter(|it| it["actor"] == "operator:filler");
    assert_eq!(after.len(), expected.count());
    let until = lines(database, &["--until", since, "--action", "TokenIssued"]).await;
    assert!(until.is_empty(), "{until:?}");
    let id = token["id"].as_str().unwrap();
    let of_token = lines(database, &["--subject", id]).await;
    assert_eq!(of_token.len(), 1);
    assert_eq!(of_token[0]["action"], "TokenIssued");
    let of_account = lines(database, &["--account", &account, "--outcome", "allowed"]).await;
    assert_eq!(of_account.len(), 2);

    let table = text(database, &["--format", "csv", "--actor", "operator:filler"]).await;
    let mut rows = table.split("\r\n");
    assert!(
        rows.next()
            .unwrap()
            .starts_with("at,last_at,outcome,action,actor,")
    );
    let rows: Vec<&str> = rows.filter(|row| !row.is_empty()).collect();
    assert_eq!(rows.len(), 2500);
    // No spreadsheet takes it for a formula.
    assert!(
        rows.iter().all(|row| row.contains(",'-1+1,")),
        "{}",
        rows[0]
    );
    let exports = lines(database, &["--action", "AuditExported"]).await;
    assert_eq!(exports.len(), 8);
}

#[tokio::test]
async fn what_cannot_be_asked_is_named() {
    let database = TestDatabase::create().await;
    for (arguments, named) in [
        (&["--since", "yesterday"][..], "--since"),
        (&["--action", "TokenStolen"], "--action"),
        (&["--format", "xml"], "--format"),
        (
            &[
                "--since",
                "2026-03-02T00:00:00Z",
                "--until",
                "2026-03-01T00:00:00Z",
            ],
            "--since is not before --until",
        ),
    ] {
        let output = run(&database, arguments).await;
        assert!(!output.status.success(), "{output:?}");
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(complaint.contains(named), "{complaint}");
        assert!(output.stdout.is_empty());
    }
}
