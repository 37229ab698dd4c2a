//! The one order of all events: contiguous, in the order of the commits, whatever writers do to
//! each other.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use sqlx::{Executor, PgPool};
use support::{event, rival, submission, writer};
use tollkeeper_domain::event::Stream;
use tollkeeper_event_store::{AppendError, Submission, head, load, read_after};
use tollkeeper_testkit::{TestDatabase, wait_for};

/// How many sessions of this database wait for a lock.
async fn waiting(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

async fn positions(pool: &PgPool) -> Vec<i64> {
    read_after(pool, 0, 10_000)
        .await
        .unwrap()
        .iter()
        .map(|event| event.position)
        .collect()
}

#[tokio::test]
async fn what_was_appended_is_loaded_back_whole() {
    let database = TestDatabase::create().await;
    let (writer, _stop) = writer(&database.pool);
    let wanted = [event(1, 1), event(1, 2)];
    let both = Submission {
        events: wanted.to_vec(),
        ..Submission::default()
    };
    let appended = writer.append(both).await.unwrap();
    assert_eq!(appended.first_position, 1);

    let stored = load(&database.pool, wanted[0].stream).await.unwrap();
    assert_eq!(stored.len(), 2);
    for (stored, wanted) in stored.iter().zip(&wanted) {
        assert_eq!(stored.event_id, wanted.event_id);
        assert_eq!(stored.stream, wanted.stream);
        assert_eq!(stored.stream_version, wanted.stream_version);
        assert_eq!(stored.event, wanted.event);
        assert_eq!(stored.actor, wanted.actor);
        assert_eq!(stored.request_id, wanted.request_id);
        assert_eq!(stored.occurred_at, wanted.occurred_at);
        assert_eq!(stored.recorded_at, appended.recorded_at);
    }
    let end = head(&database.pool).await.unwrap();
    assert_eq!((end.position, end.hash), (2, stored[1].hash));
    let other = Stream::Token(wanted[0].stream.id().into());
    assert!(load(&database.pool, other).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_late_commit_is_never_passed_by_a_reader() {
    let database = TestDatabase::create().await;
    let (writer, _stop) = writer(&database.pool);
    writer.append(submission(1, 1)).await.unwrap();

    // Somebody has taken position 2 and takes their time to commit.
    let mut late = database.pool.begin().await.unwrap();
    late.execute("update event_log_head set position = position")
        .await
        .unwrap();
    let second = tokio::spawn({
        let writer = writer.clone();
        async move { writer.append(submission(2, 1)).await }
    });
    wait_for("the second writer to wait", async || {
        waiting(&database.pool).await == 1
    })
    .await;
    assert_eq!(positions(&database.pool).await, [1], "nothing overtakes");
    late.commit().await.unwrap();
    assert_eq!(second.await.unwrap().unwrap().first_position, 2);
}

#[tokio::test]
async fn a_rollback_leaves_no_hole() {
    let database = TestDatabase::create().await;
    let (writer, _stop) = writer(&database.pool);
    writer.append(submission(1, 1)).await.unwrap();
    // Fails after it took a position: the version is taken.
    let conflict = writer.append(rival(1, 1)).await;
    assert!(
        matches!(conflict, Err(AppendError::Conflict)),
        "{conflict:?}"
    );
    assert_eq!(
        writer
            .append(submission(2, 1))
            .await
            .unwrap()
            .first_position,
        2
    );
    assert_eq!(positions(&database.pool).await, [1, 2]);
}

#[tokio::test]
async fn of_two_that_saw_the_same_version_one_wins() {
    let database = TestDatabase::create().await;
    let (here, _stop) = writer(&database.pool);
    let (there, _stop_there) = writer(&database.pool);
    here.append(submission(1, 1)).await.unwrap();
    let (a, b) = tokio::join!(here.append(submission(1, 2)), there.append(rival(1, 2)));
    let lost = match (a, b) {
        (Ok(_), Err(lost)) | (Err(lost), Ok(_)) => lost,
        other => panic!("one wins and one loses: {other:?}"),
    };
    assert!(matches!(lost, AppendError::Conflict), "{lost:?}");
    assert_eq!(positions(&database.pool).await, [1, 2]);
}

#[tokio::test]
async fn a_client_frozen_with_the_lock_does_not_freeze_the_writer() {
    let database = TestDatabase::create().await;
    let (writer, _stop) = writer(&database.pool);
    let mut frozen = database.pool.begin().await.unwrap();
    frozen
        .execute("select * from event_log_head for update")
        .await
        .unwrap();
    let refused = writer.append(submission(1, 1)).await;
    assert!(
        matches!(refused, Err(AppendError::Unavailable(_))),
        "{refused:?}"
    );
    frozen.rollback().await.unwrap();
    assert_eq!(
        writer
            .append(submission(1, 1))
            .await
            .unwrap()
            .first_position,
        1
    );
}

#[tokio::test]
async fn each_member_of_a_failing_group_gets_its_own_answer() {
    let database = TestDatabase::create().await;
    let (writer, _stop) = writer(&database.pool);
    writer.append(submission(7, 1)).await.unwrap();

    // While the head is locked, the next submissions gather into one group.
    let mut blocker = database.pool.begin().await.unwrap();
    blocker
        .execute("select * from event_log_head for update")
        .await
        .unwrap();
    let append = |stream| {
        let writer = writer.clone();
        tokio::spawn(async move { writer.append(rival(stream, 1)).await })
    };
    let first = append(1);
    wait_for("the writer to wait", async || {
        waiting(&database.pool).await == 1
    })
    .await;
    let rest: Vec<_> = [2, 7, 3].into_iter().map(append).collect();
    blocker.rollback().await.unwrap();

    assert!(first.await.unwrap().is_ok());
    let mut answers = Vec::new();
    for answer in rest {
        answers.push(answer.await.unwrap());
    }
    assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert!(
        matches!(answers[1], Err(AppendError::Conflict)),
        "{answers:?}"
    );
    assert_eq!(positions(&database.pool).await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_row_that_no_column_can_hold_is_refused_alone() {
    let database = TestDatabase::create().await;
    let (writer, _stop) = writer(&database.pool);
    let mut blocker = database.pool.begin().await.unwrap();
    blocker
        .execute("select * from event_log_head for update")
        .await
        .unwrap();
    let mut odd = submission(2, 1);
    let row =
        serde_json::json!({ "id": event(2, 1).event_id, "created_at": "0000-01-01T00:00:00Z" });
    odd.rows.push("accounts", row);
    let append = |submission| {
        let writer = writer.clone();
        tokio::spawn(async move { writer.append(submission).await })
    };
    let first = append(submission(1, 1));
    wait_for("the writer to wait", async || {
        waiting(&database.pool).await == 1
    })
    .await;
    let (odd, even) = (append(odd), append(submission(3, 1)));
    blocker.rollback().await.unwrap();
    assert!(first.await.unwrap().is_ok());
    let refused = odd.await.unwrap();
    assert!(
        matches!(refused, Err(AppendError::Refused(_))),
        "{refused:?}"
    );
    assert!(even.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_follower_misses_nothing_under_concurrent_writers() {
    const WRITERS: u128 = 4;
    const EACH: u64 = 100;
    let database = TestDatabase::create().await;
    let mut appending = Vec::new();
    for stream in 0..WRITERS {
        let (writer, stop) = writer(&database.pool);
        appending.push(tokio::spawn(async move {
            for version in 1..=EACH {
                writer.append(submission(stream, version)).await.unwrap();
            }
            drop(stop);
        }));
    }
    let total = i64::try_from(EACH).unwrap() * i64::try_from(WRITERS).unwrap();
    let mut seen = 0;
    let mut recorded_at = None;
    while seen < total {
        for event in read_after(&database.pool, seen, 37).await.unwrap() {
            assert_eq!(event.position, seen + 1);
            assert!(recorded_at.is_none_or(|before| before <= event.recorded_at));
            recorded_at = Some(event.recorded_at);
            seen = event.position;
        }
    }
    for writer in appending {
        writer.await.unwrap();
    }
    assert_eq!(head(&database.pool).await.unwrap().position, total);
}

#[tokio::test]
async fn events_are_never_changed_removed_or_let_in_twice() {
    let database = TestDatabase::create().await;
    let (writer, _stop) = writer(&database.pool);
    writer.append(submission(1, 1)).await.unwrap();
    for statement in [
        "update events set actor = 'me'",
        "delete from events",
        "truncate events",
    ] {
        let refused = database.pool.execute(statement).await.unwrap_err();
        let code = refused
            .as_database_error()
            .and_then(|error| error.code().map(String::from));
        assert_eq!(code.as_deref(), Some("TK009"), "{statement}");
    }
    // The same event id in another stream.
    let mut again = submission(2, 1);
    again.events[0].event_id = event(1, 1).event_id;
    let refused = writer.append(again).await;
    assert!(
        matches!(&refused, Err(AppendError::Refused(name)) if name == "events_event_id_key"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn more_than_one_transaction_holds_is_refused() {
    let database = TestDatabase::create().await;
    let (writer, _stop) = writer(&database.pool);
    let events = (1..=1001).map(|version| event(1, version)).collect();
    let refused = writer
        .append(Submission {
            events,
            ..Submission::default()
        })
        .await;
    assert!(matches!(refused, Err(AppendError::TooLarge)), "{refused:?}");
}
