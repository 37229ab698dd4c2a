//! Hints over a real broker.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tollkeeper_authn::hints;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::{TestDatabase, TestNats, wait_for};

use crate::history::History;
use crate::postgres::{engine, from_memory, verdict};

#[tokio::test]
async fn a_hint_reaches_another_node() {
    let database = TestDatabase::create().await;
    let broker = TestNats::start().await;
    let history = History::of(&database.pool);
    let (engine, _stop) = engine(&database.url);
    engine.prove().await.unwrap();
    let mut held = history.issue("tk").await;
    assert_eq!(verdict(&engine, &held).await, Verdict::Valid);

    let stop = CancellationToken::new();
    let client = broker.client().await;
    let listening = tokio::spawn(hints::listen(client, Arc::clone(&engine), stop.clone()));
    let publisher = broker.client().await;
    publisher
        .publish(hints::SUBJECT, "junk".into())
        .await
        .unwrap();
    let revoked = history.revoke(&mut held).await;
    hints::publish(&publisher, &[revoked]).await.unwrap();
    wait_for("the token to be in doubt or denied", || {
        let verdict = from_memory(&engine, &held);
        async move { verdict != Some(Verdict::Valid) }
    })
    .await;
    assert_eq!(verdict(&engine, &held).await, Verdict::Revoked);

    stop.cancel();
    listening.await.unwrap().unwrap();
}
