//! Reading the ledger from a database that does not answer.

#![allow(
    clippy::unwrap_used,
    reason = "a test panics when its ground gives way"
)]

use sqlx::postgres::PgPoolOptions;
use tollkeeper_testkit::{FaultProxy, TestDatabase, wait_for};
use tollkeeper_usage::{LedgerReader, PostgresLedger};
use uuid::Uuid;

#[tokio::test]
async fn a_silent_database_is_given_up_and_tried_again_on_another_connection() {
    let database = TestDatabase::create().await;
    let proxy = FaultProxy::start(database.tcp_address()).await;
    // A connection that is not tried before its use falls silent in the middle of a call.
    let pool = PgPoolOptions::new()
        .test_before_acquire(false)
        .max_connections(1)
        .connect(&database.url_through(proxy.address()))
        .await
        .unwrap();
    let ledger = PostgresLedger::new(pool.clone());
    ledger.covered(vec![Uuid::nil()]).await.unwrap();

    wait_for("the connection to be idle", async || pool.num_idle() == 1).await;
    proxy.pause();
    // Nothing can happen now but that time goes by.
    tokio::time::pause();
    assert!(ledger.covered(vec![Uuid::nil()]).await.is_err());
    tokio::time::resume();
    assert_eq!(pool.size(), 0, "nobody knows what else the connection says");

    proxy.resume();
    let covered = ledger.covered(vec![Uuid::nil()]).await.unwrap();
    assert!(covered.is_empty());
}
