//! A database host that dies without a word.

use sqlx::postgres::PgPoolOptions;
use tollkeeper_testkit::FaultProxy;

use super::*;

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
    let settler = settler(&pool);
    let events = events(6);
    let first = [batch(SOURCE, 1, &events[..3])];
    settler.settle(&first).await.unwrap();

    wait_for("the connection to be idle", async || pool.num_idle() == 1).await;
    proxy.pause();
    let second = [batch(SOURCE, 4, &events[3..])];
    // Nothing can happen now but that time goes by.
    tokio::time::pause();
    let given_up = settler.settle(&second).await;
    tokio::time::resume();
    assert!(
        matches!(&given_up, Err(Fault::Passing(sqlx::Error::Io(_)))),
        "{given_up:?}"
    );
    assert_eq!(pool.size(), 0, "nobody knows what else the connection says");

    proxy.resume();
    settler.settle(&second).await.unwrap();
    assert_counted(&database.pool, &expected(&events)).await;
}

#[tokio::test]
async fn upkeep_gives_a_silent_database_up_as_well() {
    let database = TestDatabase::create().await;
    let proxy = FaultProxy::start(database.tcp_address()).await;
    let pool = PgPoolOptions::new()
        .test_before_acquire(false)
        .max_connections(1)
        .connect(&database.url_through(proxy.address()))
        .await
        .unwrap();
    let partitions = Partitions::new(pool.clone());
    wait_for("the connection to be idle", async || pool.num_idle() == 1).await;
    proxy.pause();
    tokio::time::pause();
    let given_up = upkeep_once(&partitions, clock().now(), RETENTION_DAYS).await;
    tokio::time::resume();
    assert!(given_up.is_err());
    assert_eq!(pool.size(), 0);

    proxy.resume();
    upkeep_once(&partitions, clock().now(), RETENTION_DAYS)
        .await
        .unwrap();
}
