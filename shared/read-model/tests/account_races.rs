//! What must hold across a token and its account, whoever is faster.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Executor, PgPool};
use tokio_util::sync::{CancellationToken, DropGuard};
use tollkeeper_domain::account::{self, Account, AccountRegistered, Role};
use tollkeeper_domain::event::{Event, Stream};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::secret::{Environment, SecretHash};
use tollkeeper_domain::token::{
    self, Change, Issue, Metadata, RevocationReason, Rotate, Token, TokenIssued, TokenName,
};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_event_store::{
    AppendError, NewEvent, NewTokens, Rows, Submission, Writer, WriterHandle,
};
use tollkeeper_read_model::{Reach, accounts, tokens};
use tollkeeper_testkit::{TestDatabase, wait_for};
use uuid::Uuid;

const ACCOUNT: AccountId = AccountId(Uuid::from_u128(1));

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn writer(pool: &PgPool) -> (WriterHandle, DropGuard) {
    let (writer, handle) = Writer::new(pool.clone());
    let stop = CancellationToken::new();
    tokio::spawn(writer.run(stop.clone()));
    (handle, stop.drop_guard())
}

fn envelope(stream: Stream, stream_version: u64, event: Event) -> NewEvent {
    let id = (stream.id().as_u128() << 16) | u128::from(stream_version);
    NewEvent {
        event_id: Uuid::from_u128(id),
        stream,
        account_id: ACCOUNT,
        stream_version,
        event,
        actor: "operator:test".into(),
        request_id: "r".into(),
        occurred_at: now(),
    }
}

fn on_account(before: Option<Account>, command: &account::Command) -> (Account, Submission) {
    let version = before.as_ref().map_or(0, |it| it.version);
    let event = account::decide(before.as_ref(), command).unwrap().remove(0);
    let after = account::evolve(before, ACCOUNT, &event, now()).unwrap();
    let mut submission = Submission {
        changing_accounts: vec![ACCOUNT],
        ..Submission::default()
    };
    accounts::project(&after, &mut submission.rows);
    let stream = Stream::Account(ACCOUNT);
    submission
        .events
        .push(envelope(stream, version + 1, Event::Account(event)));
    (after, submission)
}

fn registered() -> (Account, Submission) {
    let registered = AccountRegistered {
        external_id: None,
        identity: None,
        role: Role::User,
        token_limit: None,
    };
    on_account(None, &account::Command::Register(registered))
}

fn issue(id: u128) -> Submission {
    issue_with(id, None).1
}

fn issue_with(id: u128, issued_by: Option<TokenId>) -> (Token, Submission) {
    let id = TokenId(Uuid::from_u128(id));
    let issued = TokenIssued {
        account_id: ACCOUNT,
        name: TokenName::new("t").unwrap(),
        environment: Environment::Live,
        token_prefix: "tk_live_0000".into(),
        secret_hash: SecretHash::of(id.0.as_bytes()),
        scopes: std::iter::empty().collect(),
        metadata: Metadata::default(),
        not_before: None,
        expires_at: None,
        issued_by,
    };
    let command = token::Command::Issue(Box::new(Issue {
        token: issued,
        longest: None,
    }));
    let event = token::decide(None, &command, now()).unwrap().remove(0);
    let token = token::evolve(None, id, &event, now()).unwrap();
    let mut submission = Submission {
        active_accounts: vec![ACCOUNT],
        ..Submission::default()
    };
    tokens::project(&token, &mut submission.rows);
    submission
        .events
        .push(envelope(Stream::Token(id), 1, Event::Token(event)));
    (token, submission)
}

async fn waiting(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

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

#[tokio::test]
async fn nothing_is_issued_with_a_token_that_is_revoked_by_then() {
    let database = TestDatabase::create().await;
    let (writer, _stop) = writer(&database.pool);
    writer.append(registered().1).await.unwrap();
    let (issuer, issued) = issue_with(7, None);
    writer.append(issued).await.unwrap();
    // Two requests that the issuer was good for when they began.
    let (_, early) = issue_with(8, Some(issuer.id));
    let (_, late) = issue_with(9, Some(issuer.id));
    writer.append(early).await.unwrap();

    let command = token::Command::Revoke(RevocationReason::Leaked);
    let event = token::decide(Some(&issuer), &command, now())
        .unwrap()
        .remove(0);
    let id = issuer.id;
    let after = token::evolve(Some(issuer), id, &event, now()).unwrap();
    let mut revocation = Submission::default();
    tokens::project(&after, &mut revocation.rows);
    revocation
        .events
        .push(envelope(Stream::Token(id), 2, Event::Token(event)));
    writer.append(revocation).await.unwrap();

    let refused = writer.append(late).await;
    assert!(
        matches!(refused, Err(AppendError::ActorEnded(Verdict::Revoked))),
        "{refused:?}"
    );
    // Who has issued another one is no matter for what becomes of that one.
    let (child, _) = issue_with(8, Some(id));
    let rests = on_token(child, &token::Command::Suspend, 2, "operator:test");
    writer.append(rests).await.unwrap();
}

/// The one event that the command makes of the token, in the name of `actor`.
fn on_token(token: Token, command: &token::Command, version: u64, actor: &str) -> Submission {
    let event = token::decide(Some(&token), command, now())
        .unwrap()
        .remove(0);
    let id = token.id;
    let after = token::evolve(Some(token), id, &event, now()).unwrap();
    let mut submission = Submission::default();
    tokens::project_change(&after, &mut submission.rows);
    submission.events.push(NewEvent {
        actor: actor.to_owned(),
        ..envelope(Stream::Token(id), version, Event::Token(event))
    });
    submission
}

#[tokio::test]
async fn a_token_that_has_ended_by_then_changes_nothing_but_may_take_away() {
    let suspended = "update api_tokens set state = 'suspended' where id = $1";
    let revoked = "update api_tokens set state = 'revoked', revoked_at = now(),
        revocation_reason = 'leaked' where id = $1";
    let of_suspended = "update accounts set state = 'suspended'
        where id = (select account_id from api_tokens where id = $1)";
    for (end, verdict) in [
        (suspended, Verdict::Suspended),
        (revoked, Verdict::Revoked),
        (of_suspended, Verdict::AccountSuspended),
    ] {
        let database = TestDatabase::create().await;
        let (writer, _stop) = writer(&database.pool);
        writer.append(registered().1).await.unwrap();
        let (user, issued) = issue_with(1_007, None);
        writer.append(issued).await.unwrap();
        let (target, issued) = issue_with(1_008, None);
        writer.append(issued).await.unwrap();
        let actor = format!("token:{}", user.id);

        // The request was let in; what follows happens while it waits for its turn.
        sqlx::query(end)
            .bind(user.id.0)
            .execute(&database.pool)
            .await
            .unwrap();
        let renamed = token::Command::Change(Box::new(Change {
            name: Some(TokenName::new("mine now").unwrap()),
            ..Change::default()
        }));
        let rotated = token::Command::Rotate(Rotate {
            token_prefix: "tk_live_0001".to_owned(),
            secret_hash: SecretHash::of(b"another"),
            grace: TimeDelta::zero(),
        });
        for command in [renamed, rotated] {
            let change = on_token(target.clone(), &command, 2, &actor);
            let refused = writer.append(change).await;
            assert!(
                matches!(&refused, Err(AppendError::ActorEnded(it)) if *it == verdict),
                "{command:?}: {refused:?}"
            );
        }
        let revoke = token::Command::Revoke(RevocationReason::Leaked);
        let taken_away = on_token(target, &revoke, 2, &actor);
        writer.append(taken_away).await.unwrap();
    }
}

#[test]
fn a_change_writes_the_secrets_that_it_can_have_touched() {
    let (mut token, _) = issue_with(7, None);
    let mut clock = now();
    for number in 0..100_u8 {
        clock += TimeDelta::seconds(1);
        let rotate = token::Command::Rotate(Rotate {
            token_prefix: "tk_live_0001".to_owned(),
            secret_hash: SecretHash::of(&[number]),
            grace: TimeDelta::zero(),
        });
        let event = token::decide(Some(&token), &rotate, clock)
            .unwrap()
            .remove(0);
        let id = token.id;
        token = token::evolve(Some(token), id, &event, clock).unwrap();
    }
    let count = |project: fn(&Token, &mut Rows)| {
        let mut rows = Rows::default();
        project(&token, &mut rows);
        rows.into_json()["api_token_secrets"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(count(tokens::project), 101);
    // The new one, and the one whose end the rotation has set.
    assert_eq!(count(tokens::project_change), 2);
}
