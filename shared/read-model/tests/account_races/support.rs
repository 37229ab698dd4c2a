//! An account, its tokens, and writers that race for them.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio_util::sync::{CancellationToken, DropGuard};
use tollkeeper_domain::account::{self, Account, AccountRegistered, Role};
use tollkeeper_domain::event::{Event, Stream};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::network::NetworkSet;
use tollkeeper_domain::quota::Quotas;
use tollkeeper_domain::rate_limit::RateLimits;
use tollkeeper_domain::secret::{Environment, SecretHash};
use tollkeeper_domain::token::{self, Issue, Metadata, Token, TokenIssued, TokenName};
use tollkeeper_event_store::{NewEvent, Submission, Writer, WriterHandle};
use tollkeeper_read_model::{accounts, tokens};
use uuid::Uuid;

pub(crate) const ACCOUNT: AccountId = AccountId(Uuid::from_u128(1));

pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

pub(crate) fn writer(pool: &PgPool) -> (WriterHandle, DropGuard) {
    let (writer, handle) = Writer::new(pool.clone());
    let stop = CancellationToken::new();
    tokio::spawn(writer.run(stop.clone()));
    (handle, stop.drop_guard())
}

pub(crate) fn envelope(stream: Stream, stream_version: u64, event: Event) -> NewEvent {
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

pub(crate) fn on_account(
    before: Option<Account>,
    command: &account::Command,
) -> (Account, Submission) {
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

pub(crate) fn registered() -> (Account, Submission) {
    let registered = AccountRegistered {
        external_id: None,
        identity: None,
        role: Role::User,
        token_limit: None,
        rate_limits: RateLimits::default(),
        quotas: Quotas::default(),
    };
    on_account(None, &account::Command::Register(registered))
}

pub(crate) fn issue(id: u128) -> Submission {
    issue_with(id, None).1
}

pub(crate) fn issue_with(id: u128, issued_by: Option<TokenId>) -> (Token, Submission) {
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
        allowed_cidrs: NetworkSet::default(),
        rate_limits: RateLimits::default(),
        quotas: Quotas::default(),
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

pub(crate) async fn waiting(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}
