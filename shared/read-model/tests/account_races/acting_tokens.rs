//! What is done in the name of a token that has ended by then.

use chrono::TimeDelta;
use tollkeeper_domain::event::{Event, Stream};
use tollkeeper_domain::secret::SecretHash;
use tollkeeper_domain::token::{self, Change, RevocationReason, Rotate, Token, TokenName};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_event_store::{AppendError, NewEvent, Rows, Submission};
use tollkeeper_read_model::tokens;
use tollkeeper_testkit::TestDatabase;

use crate::support::{envelope, issue_with, now, registered, writer};

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
