//! Issues that race for the last places of an account.

use sqlx::Executor;
use tollkeeper_event_store::{AppendError, NewTokens, Submission};
use tollkeeper_testkit::{TestDatabase, wait_for};

use crate::support::{ACCOUNT, issue, registered, waiting, writer};

/// As [`issue`], where the account may have `limit` live tokens.
fn issue_within(limit: u32, id: u128) -> Submission {
    let new = NewTokens {
        account_id: ACCOUNT,
        count: 1,
        default_limit: Some(limit),
    };
    Submission {
        new_tokens: vec![new],
        ..issue(id)
    }
}

#[tokio::test]
async fn an_issue_waits_for_one_that_may_take_the_last_place() {
    let database = TestDatabase::create().await;
    let (writer, _stop) = writer(&database.pool);
    writer.append(registered().1).await.unwrap();

    // Another process has counted and is about to write: its token is not to be seen yet.
    let mut under_way = database.pool.begin().await.unwrap();
    under_way
        .execute(
            "select lock_accounts(
                array[(select id from accounts)], '{}', array[(select id from accounts)],
                '{1}', '{1}')",
        )
        .await
        .unwrap();
    under_way
        .execute(
            "insert into api_tokens select gen_random_uuid(), id, 'first', 'live', 'tk', '{}', '{}',
                null, null, 'active', null, null, null, now(), now(), 1 from accounts",
        )
        .await
        .unwrap();
    let issued = tokio::spawn({
        let writer = writer.clone();
        async move { writer.append(issue_within(1, 7)).await }
    });
    wait_for("the issue to wait", async || {
        waiting(&database.pool).await == 1
    })
    .await;
    under_way.commit().await.unwrap();
    let refused = issued.await.unwrap();
    assert!(
        matches!(refused, Err(AppendError::TooManyTokens(ACCOUNT))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn four_processes_never_pass_the_limit_together() {
    let database = TestDatabase::create().await;
    let (first, _stop) = writer(&database.pool);
    first.append(registered().1).await.unwrap();
    let mut writers = Vec::new();
    for number in 0..4_u128 {
        let (writer, stop) = writer(&database.pool);
        writers.push(tokio::spawn(async move {
            let issues =
                (0..40).map(|it| writer.append(issue_within(25, 1_000 + number * 100 + it)));
            let outcomes = futures::future::join_all(issues).await;
            drop(stop);
            let refused = |it: &&Result<_, _>| match it {
                Ok(_) => false,
                Err(AppendError::TooManyTokens(ACCOUNT)) => true,
                Err(other) => panic!("{other:?}"),
            };
            outcomes.iter().filter(refused).count()
        }));
    }
    let mut refused = 0;
    for writer in writers {
        refused += writer.await.unwrap();
    }
    assert_eq!(refused, 160 - 25);
    let live: i64 = sqlx::query_scalar("select count(*) from api_tokens")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(live, 25);
}

#[tokio::test]
async fn an_accounts_own_limit_wins_and_ended_tokens_leave_room() {
    let database = TestDatabase::create().await;
    let (writer, _stop) = writer(&database.pool);
    writer.append(registered().1).await.unwrap();
    database
        .pool
        .execute("update accounts set token_limit = 2")
        .await
        .unwrap();
    for id in [11, 12] {
        writer.append(issue_within(1, id)).await.unwrap();
    }
    assert!(writer.append(issue_within(1, 13)).await.is_err());
    database
        .pool
        .execute(
            "update api_tokens set expires_at = now() - interval '1 second'
            where id = '00000000-0000-0000-0000-00000000000b'",
        )
        .await
        .unwrap();
    writer.append(issue_within(1, 14)).await.unwrap();
    assert!(writer.append(issue_within(1, 15)).await.is_err());
    database
        .pool
        .execute("update accounts set token_limit = 0")
        .await
        .unwrap();
    writer.append(issue_within(1, 16)).await.unwrap();
}
