use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use chrono::TimeDelta;
use futures::future::join_all;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio_util::sync::{CancellationToken, DropGuard};
use tollkeeper_ambient::{Clock, SystemEntropy};
use tollkeeper_authn::postgres::{Node, PostgresSource};
use tollkeeper_authn::{Engine, EngineConfig};
use tollkeeper_domain::account::{Account, AccountRegistered, Role};
use tollkeeper_domain::event::Event;
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::network::NetworkSet;
use tollkeeper_domain::quota::Quotas;
use tollkeeper_domain::rate_limit::RateLimits;
use tollkeeper_domain::secret::{Environment, SecretHash};
use tollkeeper_domain::token::{
    Change, Issue, Metadata, RevocationReason, Token, TokenEvent, TokenIssued, TokenName, decide,
};
use tollkeeper_event_store::{Rows, Writer, load_tokens};
use tollkeeper_read_model::accounts::Profile;
use tollkeeper_read_model::{Reach, replay};
use tollkeeper_testkit::{FixedClock, Stack, TestDatabase, wait_for};

use super::super::{Audience, Needs, many::Outcome};
use super::*;
use crate::history::News;

const DAY: u64 = 24 * 3600;

/// One process's commands on a database, by a clock that the test moves.
struct Process {
    commands: Commands,
    _writer: DropGuard,
}

fn process(url: &str, pool: &PgPool, clock: &Arc<FixedClock>) -> Process {
    let options: PgConnectOptions = url.parse().unwrap();
    let config = EngineConfig::new("tk".parse().unwrap());
    let node = Node {
        id: uuid::Uuid::from_u128(1),
        name: "a node".to_owned(),
        version: "0.0.0".to_owned(),
        registrar: None,
    };
    let source = Arc::new(PostgresSource::new(node, options, 1));
    let engine = Arc::new(Engine::new(config, source, clock.clone()));
    let (writer, handle) = Writer::new(pool.clone());
    let stop = CancellationToken::new();
    tokio::spawn(writer.run(stop.clone()));
    let entropy = Arc::new(SystemEntropy);
    let audience = Audience {
        engine,
        broker: None,
        news: News::new(stop.clone()),
    };
    let commands = Commands::new(pool.clone(), handle, audience, clock.clone(), entropy, None);
    Process {
        commands,
        _writer: stop.drop_guard(),
    }
}

fn cause() -> Cause {
    Cause {
        actor: "operator:test".to_owned(),
        request_id: "r".to_owned(),
    }
}

impl Process {
    async fn account(&self) -> AccountId {
        let registered = AccountRegistered {
            external_id: None,
            identity: None,
            role: Role::User,
            token_limit: None,
            rate_limits: RateLimits::default(),
            quotas: Quotas::default(),
        };
        let profile = Profile::default();
        let id = |account: Account, _: &mut Rows| Ok(account.id);
        let commands = &self.commands;
        let made = commands.register(&cause(), registered, &profile, id).await;
        made.unwrap()
    }

    /// A token that expires so many hours from now.
    async fn issue(&self, account_id: AccountId, hours: Option<i64>) -> TokenId {
        let now = self.commands.clock.now();
        let id = TokenId(self.commands.entropy.uuid_v7(now));
        let issue = Issue {
            token: TokenIssued {
                account_id,
                name: TokenName::new("t").unwrap(),
                environment: Environment::Live,
                token_prefix: "tk_live_0000".to_owned(),
                secret_hash: SecretHash::of(id.0.as_bytes()),
                scopes: std::iter::empty().collect(),
                metadata: Metadata::default(),
                not_before: None,
                expires_at: hours.map(|hours| now + TimeDelta::hours(hours)),
                allowed_cidrs: NetworkSet::default(),
                rate_limits: RateLimits::default(),
                quotas: Quotas::default(),
                issued_by: None,
            },
            longest: None,
        };
        let answer = |token: Token, _: &mut Rows| Ok(token.id);
        let made = self.commands.issue(&cause(), id, issue, now, answer).await;
        made.unwrap()
    }

    /// The notices that the log holds of a token, in order.
    async fn notices(&self, id: TokenId) -> Vec<u16> {
        let histories = load_tokens(&self.commands.pool, &[id]).await.unwrap();
        let notice = |event: &Event| match event {
            Event::Token(TokenEvent::Expiring(notice)) => Some(notice.days),
            _ => None,
        };
        let events = histories[&id].iter();
        events.filter_map(|stored| notice(&stored.event)).collect()
    }
}

#[tokio::test]
async fn each_notice_is_given_once_and_in_time() {
    let database = TestDatabase::create().await;
    let clock = Arc::new(FixedClock::default());
    let node = process(&database.url, &database.pool, &clock);
    let account = node.account().await;
    let lives = [Some(40 * 24), Some(5 * 24), Some(12), Some(31 * 24), None];
    let mut tokens = Vec::new();
    for hours in lives {
        tokens.push(node.issue(account, hours).await);
    }
    let given = async || {
        let mut given = Vec::new();
        for id in &tokens {
            given.push(node.notices(*id).await);
        }
        given
    };
    let mut ago = 0;
    for (day, expected) in [
        (0, [vec![], vec![], vec![], vec![], vec![]]),
        (2, [vec![], vec![], vec![], vec![30], vec![]]),
        (4, [vec![], vec![1], vec![], vec![30], vec![]]),
        (20, [vec![30], vec![1], vec![], vec![30], vec![]]),
        // The notice 7 days ahead was missed, and is not true any more.
        (30, [vec![30], vec![1], vec![], vec![30, 1], vec![]]),
        (33, [vec![30, 7], vec![1], vec![], vec![30, 1], vec![]]),
        (39, [vec![30, 7, 1], vec![1], vec![], vec![30, 1], vec![]]),
        (50, [vec![30, 7, 1], vec![1], vec![], vec![30, 1], vec![]]),
    ] {
        clock.advance(Duration::from_secs((day - ago) * DAY));
        ago = day;
        // What the tables say is due is what the rules say is due.
        let now = clock.now();
        let due = expiry::notice_due(&database.pool, now, 100).await.unwrap();
        let due: BTreeSet<TokenId> = due.into_iter().collect();
        let histories = load_tokens(&database.pool, &tokens).await.unwrap();
        let by_rules = histories.iter().filter(|(_, history)| {
            let token = replay::token(history).unwrap().unwrap();
            let events = decide(Some(&token), &Command::AnnounceExpiry, now);
            !events.unwrap().is_empty()
        });
        assert_eq!(due, by_rules.map(|(id, _)| *id).collect(), "day {day}");
        for _ in 0..2 {
            assert!(node.commands.announce_expiries(100).await.unwrap());
            assert_eq!(given().await, expected, "day {day}");
        }
    }
}

#[tokio::test]
async fn many_are_told_of_in_batches() {
    let database = TestDatabase::create().await;
    let clock = Arc::new(FixedClock::default());
    let node = process(&database.url, &database.pool, &clock);
    let account = node.account().await;
    for _ in 0..25 {
        node.issue(account, Some(31 * 24)).await;
    }
    clock.advance(Duration::from_secs(2 * DAY));
    for nothing_left in [false, false, true, true] {
        let told = node.commands.announce_expiries(10).await.unwrap();
        assert_eq!(told, nothing_left);
    }
}

#[tokio::test]
async fn a_token_that_is_revoked_or_prolonged_meanwhile_is_not_told_of() {
    let database = TestDatabase::create().await;
    let clock = Arc::new(FixedClock::default());
    let node = process(&database.url, &database.pool, &clock);
    let account = node.account().await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(node.issue(account, Some(31 * 24)).await);
    }
    clock.advance(Duration::from_secs(2 * DAY));
    let now = clock.now();
    let due = expiry::notice_due(&database.pool, now, 100).await.unwrap();
    assert_eq!(due.len(), 3);

    let longer = Change {
        expires_at: Some(Some(now + TimeDelta::days(365))),
        ..Change::default()
    };
    for (id, command) in [
        (tokens[0], Command::Revoke(RevocationReason::Leaked)),
        (tokens[1], Command::Change(Box::new(longer))),
    ] {
        let target = (id, Reach::All);
        let choose = |_: &_, _| Ok(command.clone());
        node.commands
            .change(&cause(), target, None, Needs::Nothing, choose)
            .await
            .unwrap();
    }
    let mut told = node
        .commands
        .change_many(&cause(), &due, &Command::AnnounceExpiry, |_, _| {})
        .await
        .unwrap();
    // All expire at one moment, so that they are due in no order of their issue.
    told.unchanged
        .sort_unstable_by_key(|id| (*id != tokens[0], *id != tokens[1]));
    let expected = Outcome {
        changed: vec![tokens[2]],
        unchanged: vec![tokens[0], tokens[1]],
        overtaken: vec![],
    };
    assert_eq!(told, expected);
}

#[tokio::test]
async fn processes_that_tell_at_once_tell_once() {
    let database = TestDatabase::create().await;
    let clock = Arc::new(FixedClock::default());
    let nodes: Vec<Process> = (0..4)
        .map(|_| process(&database.url, &database.pool, &clock))
        .collect();
    let account = nodes[0].account().await;
    let mut tokens = Vec::new();
    for _ in 0..40 {
        tokens.push(nodes[0].issue(account, Some(31 * 24)).await);
    }
    clock.advance(Duration::from_secs(2 * DAY));
    wait_for("all to be told of", async || {
        let rounds = nodes
            .iter()
            .map(|node| node.commands.announce_expiries(100));
        for round in join_all(rounds).await {
            round.unwrap();
        }
        let due = expiry::notice_due(&database.pool, clock.now(), 1).await;
        due.unwrap().is_empty()
    })
    .await;
    for id in tokens {
        assert_eq!(nodes[0].notices(id).await, [30]);
    }
}

#[tokio::test]
async fn a_notice_reaches_the_broker() {
    let mut stack = Stack::bare().await;
    let _api = stack.api(&[]).await;
    let clock = Arc::new(FixedClock::default());
    let node = process(&stack.database.url, &stack.database.pool, &clock);
    let account = node.account().await;
    let token = node.issue(account, Some(31 * 24)).await;
    clock.advance(Duration::from_secs(2 * DAY));
    node.commands.announce_expiries(100).await.unwrap();
    let broker = jetstream::new(stack.nats.client().await);
    let stream = broker.get_stream("LIFECYCLE").await.unwrap();
    let subject = "lifecycle.TokenExpiring";
    wait_for("the notice", async || {
        stream
            .get_last_raw_message_by_subject(subject)
            .await
            .is_ok()
    })
    .await;
    let message = stream.get_last_raw_message_by_subject(subject).await;
    let body: serde_json::Value = serde_json::from_slice(&message.unwrap().payload).unwrap();
    assert_eq!(body["stream_id"], token.to_string());
    assert_eq!(body["payload"]["days"], 30);
    assert_eq!(body["actor"], "system:expiry-notices");
}
