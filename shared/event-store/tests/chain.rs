//! The chain of hashes shows every change to the log.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use sqlx::Executor;
use support::{submission, writer};
use tollkeeper_event_store::{AuditError, verify_chain};
use tollkeeper_testkit::TestDatabase;

async fn database_of_five() -> TestDatabase {
    let database = TestDatabase::create().await;
    let (writer, _stop) = writer(&database.pool);
    for stream in 1..=5 {
        writer.append(submission(stream, 1)).await.unwrap();
    }
    database
}

#[tokio::test]
async fn an_untouched_log_is_whole() {
    let database = database_of_five().await;
    assert_eq!(verify_chain(&database.pool).await.unwrap().head.position, 5);
    let empty = TestDatabase::create().await;
    assert_eq!(verify_chain(&empty.pool).await.unwrap().head.position, 0);
}

#[tokio::test]
async fn every_column_is_covered() {
    for change in [
        "actor = 'somebody else'",
        "request_id = 'another'",
        "occurred_at = occurred_at - interval '1 microsecond'",
        "recorded_at = recorded_at - interval '1 microsecond'",
        "event_id = 'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        "stream_id = 'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        "stream_version = 2",
        "stream_type = 'token'",
        "type = 'AccountChanged'",
        "schema_version = 1",
        "account_id = 'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        "payload = convert_to(replace(convert_from(payload, 'UTF8'), 'user', 'system'), 'UTF8')",
        "payload = payload || ' '::bytea",
        "hash = sha256(hash)",
    ] {
        let database = database_of_five().await;
        let mut intruder = database.pool.acquire().await.unwrap();
        intruder
            .execute("alter table events disable trigger user")
            .await
            .unwrap();
        let statement = format!("update events set {change} where position = 3");
        let changed = intruder
            .execute(sqlx::AssertSqlSafe(statement))
            .await
            .unwrap();
        assert_eq!(changed.rows_affected(), 1);
        match verify_chain(&database.pool).await {
            Err(AuditError::Broken { position: 3, .. }) => {}
            other => panic!("{change}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_missing_event_and_a_rewritten_head_are_named() {
    let database = database_of_five().await;
    let mut intruder = database.pool.acquire().await.unwrap();
    intruder
        .execute("alter table events disable trigger user")
        .await
        .unwrap();
    intruder
        .execute("delete from events where position = 2")
        .await
        .unwrap();
    let found = verify_chain(&database.pool).await;
    assert!(
        matches!(found, Err(AuditError::Broken { position: 2, .. })),
        "{found:?}"
    );

    let database = database_of_five().await;
    database
        .pool
        .execute("update event_log_head set hash = sha256(hash)")
        .await
        .unwrap();
    let found = verify_chain(&database.pool).await;
    assert!(
        matches!(found, Err(AuditError::Broken { position: 5, .. })),
        "{found:?}"
    );
}
