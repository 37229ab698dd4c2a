//! A database host that dies without a word.

use super::*;
use tollkeeper_testkit::FaultProxy;

#[tokio::test]
async fn a_silent_database_is_given_up_and_tried_again_on_another_connection() {
    let database = TestDatabase::create().await;
    let proxy = FaultProxy::start(database.tcp_address()).await;
    let pool = PgPool::connect(&database.url_through(proxy.address()))
        .await
        .unwrap();
    let settler = settler(&pool);
    let events = events(6);
    let first = [batch(SOURCE, 1, &events[..3])];
    settler.settle(&first).await.unwrap();

    proxy.pause();
    let second = [batch(SOURCE, 4, &events[3..])];
    let given_up = settler.settle(&second).await;
    assert!(matches!(given_up, Err(Fault::Passing(_))), "{given_up:?}");
    proxy.resume();
    settler.settle(&second).await.unwrap();
    assert_counted(&database.pool, &expected(&events)).await;
}
