//! The rows of nodes, as nodes write them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use tollkeeper_authn::{Attendance, LogHead, SourceError, TokenSource};
use tollkeeper_read_model::nodes::{self, NodeRow};
use tollkeeper_testkit::TestDatabase;

use crate::history::History;
use crate::postgres::{NOTHING_YET, source};

async fn only(pool: &PgPool) -> NodeRow {
    let [node] = nodes::all(pool).await.unwrap().try_into().unwrap();
    node
}

async fn now(pool: &PgPool) -> DateTime<Utc> {
    let now = sqlx::query_scalar("select clock_timestamp()");
    now.fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn a_node_is_known_by_what_it_has_told_last() {
    let database = TestDatabase::create().await;
    let pool = &database.pool;
    let history = History::of(pool);
    let source = source(&database.url);
    history.issue("tk").await;

    let head = source.attend(NOTHING_YET).await.unwrap();
    assert_eq!(head.position, 2);
    let node = only(pool).await;
    assert_eq!(
        (node.name.as_str(), node.version.as_str()),
        ("a node", "0.0.0")
    );
    // It was told to go on without the database.
    assert_eq!(
        (node.position, node.valid_until, node.may_answer),
        (None, None, true)
    );

    let before = now(pool).await;
    let attendance = Attendance {
        applied: Some(head),
        valid_for: Some(Duration::from_secs(60)),
    };
    source.attend(attendance).await.unwrap();
    let later = only(pool).await;
    assert_eq!(later.position, Some(2));
    assert_eq!(later.registered_at, node.registered_at);
    let lasts = later.valid_until.unwrap() - before;
    // A little more than was said, for clocks that go at another pace.
    assert!(
        lasts > TimeDelta::seconds(60)
            && lasts - TimeDelta::seconds(61) <= now(pool).await - before
    );

    source.leave().await.unwrap();
    assert_eq!(nodes::all(pool).await.unwrap(), []);
}

/// A node may still hold what a restored database has never heard of.
#[tokio::test]
async fn what_was_applied_of_another_log_does_not_count() {
    let database = TestDatabase::create().await;
    let pool = &database.pool;
    let history = History::of(pool);
    let source = source(&database.url);
    history.issue("tk").await;
    let head = source.attend(NOTHING_YET).await.unwrap();
    let told = async |applied: LogHead| {
        let attendance = Attendance {
            applied: Some(applied),
            valid_for: None,
        };
        source.attend(attendance).await.unwrap();
        only(pool).await.position
    };
    assert_eq!(told(head).await, Some(2));
    let empty = LogHead {
        position: 0,
        hash: [0; 32],
        ..head
    };
    assert_eq!(told(empty).await, Some(0));
    for other in [
        LogHead {
            hash: [9; 32],
            ..head
        },
        LogHead {
            position: 3,
            ..head
        },
        LogHead {
            position: 1,
            ..head
        },
        LogHead {
            generation: 1,
            ..head
        },
        LogHead {
            position: u64::MAX,
            ..head
        },
    ] {
        assert_eq!(told(other).await, None, "{other:?}");
    }
}

#[tokio::test]
async fn nodes_that_are_long_gone_are_forgotten_by_the_next_one() {
    let database = TestDatabase::create().await;
    let pool = &database.pool;
    sqlx::query(
        "insert into nodes (id, name, version, registered_at, reported_at, valid_until)
        select gen_random_uuid(), name, '0.0.0', now(), now(), until
        from (values ('gone', now() - interval '25 hours'), ('silent', now() - interval '23 hours'),
            ('forever', null)) as v (name, until)",
    )
    .execute(pool)
    .await
    .unwrap();
    source(&database.url).attend(NOTHING_YET).await.unwrap();
    let nodes = nodes::all(pool).await.unwrap();
    let known: Vec<(&str, bool)> = nodes
        .iter()
        .map(|it| (it.name.as_str(), it.may_answer))
        .collect();
    assert_eq!(
        known,
        [("a node", true), ("forever", true), ("silent", false)]
    );
}

#[tokio::test]
async fn where_nothing_can_be_written_nobody_attends() {
    let database = TestDatabase::create().await;
    let url = format!(
        "{}&options=-c%20default_transaction_read_only%3Don",
        database.url
    );
    let refused = source(&url).attend(NOTHING_YET).await;
    assert!(matches!(refused, Err(SourceError::Replica)), "{refused:?}");
}
