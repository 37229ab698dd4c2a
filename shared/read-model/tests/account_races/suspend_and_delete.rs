//! Issues against the suspension and the deletion of their account.

use sqlx::Executor;
use tollkeeper_domain::account::{self};
use tollkeeper_event_store::AppendError;
use tollkeeper_read_model::{Reach, tokens};
use tollkeeper_testkit::{TestDatabase, wait_for};
use uuid::Uuid;

use crate::support::{ACCOUNT, issue, now, on_account, registered, waiting, writer};

#[tokio::test]
async fn an_issue_waits_for_a_deletion_under_way_and_is_refused() {
    let database = TestDatabase::create().await;
    let (writer, _stop) = writer(&database.pool);
    writer.append(registered().1).await.unwrap();

    // A deletion that has not committed yet.
    let mut deletion = database.pool.begin().await.unwrap();
    deletion
        .execute("update accounts set state = 'deleted'")
        .await
        .unwrap();
    let issued = tokio::spawn({
        let writer = writer.clone();
        async move { writer.append(issue(7)).await }
    });
    wait_for("the issue to wait", async || {
        waiting(&database.pool).await == 1
    })
    .await;
    deletion.commit().await.unwrap();
    let refused = issued.await.unwrap();
    assert!(
        matches!(refused, Err(AppendError::AccountNotActive(ACCOUNT))),
        "{refused:?}"
    );
    let found = tokens::find(&database.pool, Reach::All, Uuid::from_u128(7).into(), now()).await;
    assert_eq!(found.unwrap(), None);
}

#[tokio::test]
async fn a_deletion_waits_for_an_issue_under_way_and_then_sees_its_token() {
    let database = TestDatabase::create().await;
    let (writer, _stop) = writer(&database.pool);
    let (account, register) = registered();
    writer.append(register).await.unwrap();

    // An issue that holds its account and has not committed yet.
    let mut under_way = database.pool.begin().await.unwrap();
    under_way
        .execute("select lock_accounts(array[(select id from accounts)], '{}', '{}', '{}', '{}')")
        .await
        .unwrap();
    let (_, delete) = on_account(Some(account), &account::Command::Delete);
    let deleted = tokio::spawn({
        let writer = writer.clone();
        async move { writer.append(delete).await }
    });
    wait_for("the deletion to wait", async || {
        waiting(&database.pool).await == 1
    })
    .await;
    under_way.commit().await.unwrap();
    deleted.await.unwrap().unwrap();
    assert!(writer.append(issue(8)).await.is_err());
}

#[tokio::test]
async fn two_issues_do_not_wait_for_each_other() {
    let database = TestDatabase::create().await;
    let (writer, _stop) = writer(&database.pool);
    writer.append(registered().1).await.unwrap();
    let mut under_way = database.pool.begin().await.unwrap();
    under_way
        .execute("select lock_accounts(array[(select id from accounts)], '{}', '{}', '{}', '{}')")
        .await
        .unwrap();
    writer.append(issue(9)).await.unwrap();
    under_way.rollback().await.unwrap();
}

#[tokio::test]
async fn many_issues_against_suspend_and_resume_never_deadlock() {
    let database = TestDatabase::create().await;
    let (here, _stop_here) = writer(&database.pool);
    let (there, _stop_there) = writer(&database.pool);
    let (mut account, register) = registered();
    here.append(register).await.unwrap();
    let issuing = tokio::spawn(async move {
        let mut refused = 0;
        for id in 100..300 {
            match here.append(issue(id)).await {
                Ok(_) => {}
                Err(AppendError::AccountNotActive(_)) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        refused
    });
    for round in 0..20 {
        let command = if round % 2 == 0 {
            account::Command::Suspend
        } else {
            account::Command::Resume
        };
        let (after, submission) = on_account(Some(account), &command);
        there.append(submission).await.unwrap();
        account = after;
    }
    let refused = issuing.await.unwrap();
    let mut connection = database.pool.acquire().await.unwrap();
    let live: i64 = sqlx::query_scalar("select count(*) from api_tokens")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    assert_eq!(live + refused, 200);
    let report = tollkeeper_read_model::rebuild::verify(&mut connection)
        .await
        .unwrap();
    assert_eq!(report.differing(), 0, "{report:?}");
}
