//! The servers the other tests stand on.

#![allow(clippy::unwrap_used)]

use sqlx::PgPool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tollkeeper_embedded::postgres::Durability;
use tollkeeper_testkit::{FaultProxy, PrivatePostgres, TestDatabase, TestNats, wait_for};

#[tokio::test]
async fn each_test_has_a_migrated_database_of_its_own() {
    let (one, other) = tokio::join!(TestDatabase::create(), TestDatabase::create());
    assert_ne!(one.url, other.url);
    tollkeeper_runtime::database::check_schema(&one.pool)
        .await
        .unwrap();
    sqlx::query("CREATE TABLE only_here ()")
        .execute(&one.pool)
        .await
        .unwrap();
    let elsewhere: bool = sqlx::query_scalar("SELECT to_regclass('only_here') IS NOT NULL")
        .fetch_one(&other.pool)
        .await
        .unwrap();
    assert!(!elsewhere);
}

#[tokio::test]
async fn a_database_is_reached_through_a_proxy_until_it_is_cut() {
    let database = TestDatabase::create().await;
    let proxy = FaultProxy::start(database.tcp_address()).await;
    let pool = PgPool::connect(&database.url_through(proxy.address()))
        .await
        .unwrap();
    sqlx::query("SELECT 1").execute(&pool).await.unwrap();
    let mut held = pool.acquire().await.unwrap();
    proxy.cut();
    sqlx::query("SELECT 1")
        .execute(&mut *held)
        .await
        .unwrap_err();
    proxy.resume();
    drop(held);
    wait_for("the database to be back", || async {
        sqlx::query("SELECT 1").execute(&pool).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_killed_postgres_comes_back_with_what_was_committed() {
    let mut postgres = PrivatePostgres::start(Durability::Full).await;
    let pool = PgPool::connect(&postgres.url()).await.unwrap();
    sqlx::query("CREATE TABLE kept AS SELECT 1 AS value")
        .execute(&pool)
        .await
        .unwrap();
    postgres.kill().await;
    postgres.restart().await;
    wait_for("the table to be back", || async {
        let value = sqlx::query_scalar::<_, i32>("SELECT value FROM kept");
        value.fetch_one(&pool).await.is_ok_and(|value| value == 1)
    })
    .await;
}

#[tokio::test]
async fn a_killed_nats_keeps_its_streams() {
    let mut nats = TestNats::start().await;
    let jetstream = async_nats::jetstream::new(nats.client().await);
    let config = async_nats::jetstream::stream::Config {
        name: "KEPT".to_owned(),
        subjects: vec!["kept.>".to_owned()],
        ..Default::default()
    };
    jetstream.create_stream(config).await.unwrap();
    let published = jetstream.publish("kept.one", "hello".into()).await.unwrap();
    published.await.unwrap();

    nats.kill().await;
    nats.restart().await;
    wait_for("the stream to be back", || async {
        match jetstream.get_stream("KEPT").await {
            Ok(stream) => stream.cached_info().state.messages == 1,
            Err(_) => false,
        }
    })
    .await;
    nats.stop().await;
}

#[tokio::test]
async fn a_paused_proxy_keeps_the_bytes_and_a_refusing_one_the_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap()).await;
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();

    proxy.pause();
    client.write_all(b"held").await.unwrap();
    proxy.refuse();
    let mut word = [0; 4];
    server.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"held");

    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    let mut nothing = Vec::new();
    assert!(matches!(
        refused.read_to_end(&mut nothing).await,
        Ok(0) | Err(_)
    ));
}
