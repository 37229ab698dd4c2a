//! One follower at a time, and none sets another's checkpoint back.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::time::Duration;

use sqlx::Executor;
use tollkeeper_event_store::{LeaseError, lease, move_checkpoint};
use tollkeeper_testkit::TestDatabase;

const LONG: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_held_lease_is_not_given_twice() {
    let database = TestDatabase::create().await;
    let pool = &database.pool;
    let mut first = lease(pool, "relay", LONG).await.unwrap().unwrap();
    assert_eq!(first.position, 0);
    assert_eq!(lease(pool, "relay", LONG).await.unwrap(), None);
    assert!(lease(pool, "another", LONG).await.unwrap().is_some());

    move_checkpoint(pool, &mut first, 5, Duration::ZERO)
        .await
        .unwrap();
    let second = lease(pool, "relay", LONG).await.unwrap().unwrap();
    assert_eq!((second.position, second.fence), (5, first.fence + 1));
}

#[tokio::test]
async fn who_lost_the_lease_moves_nothing() {
    let database = TestDatabase::create().await;
    let pool = &database.pool;
    let mut frozen = lease(pool, "relay", LONG).await.unwrap().unwrap();
    pool.execute("update checkpoints set leased_until = 'epoch'")
        .await
        .unwrap();
    let mut next = lease(pool, "relay", LONG).await.unwrap().unwrap();
    move_checkpoint(pool, &mut next, 3, LONG).await.unwrap();

    let late = move_checkpoint(pool, &mut frozen, 9, LONG).await;
    assert!(matches!(late, Err(LeaseError::Lost)), "{late:?}");
    let backwards = move_checkpoint(pool, &mut next, 2, LONG).await;
    assert!(matches!(backwards, Err(LeaseError::Lost)), "{backwards:?}");
    assert_eq!(next.position, 3);
}
