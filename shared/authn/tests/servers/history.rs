//! Accounts and tokens written the way the service writes them: events and rows in one call.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio_util::sync::{CancellationToken, DropGuard};
use tollkeeper_ambient::{Clock, Entropy, SystemClock, SystemEntropy};
use tollkeeper_authn::FeedEvent;
use tollkeeper_domain::account::{
    self, Account, AccountChanged, AccountEvent, AccountRegistered, Role,
};
use tollkeeper_domain::event::{Event, Stream};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::network::NetworkSet;
use tollkeeper_domain::quota::{QuotaRefilled, Quotas};
use tollkeeper_domain::rate_limit::RateLimits;
use tollkeeper_domain::secret::{Environment, TokenSecret};
use tollkeeper_domain::token::{
    self, Metadata, Restrictions, RevocationReason, Token, TokenEvent, TokenIssued, TokenName,
    TokenRevoked,
};
use tollkeeper_event_store::{NewEvent, Rows, Submission, Writer, WriterHandle};
use tollkeeper_read_model::{accounts, tokens};

pub struct History {
    writer: WriterHandle,
    _stop: DropGuard,
}

/// A token, its account, and the text its holder has.
#[derive(Debug, Clone)]
pub struct Held {
    pub account: Account,
    pub token: Token,
    pub text: String,
}

fn now() -> DateTime<Utc> {
    SystemClock.now()
}

impl History {
    pub fn of(pool: &PgPool) -> Self {
        let (writer, handle) = Writer::new(pool.clone());
        let stop = CancellationToken::new();
        tokio::spawn(writer.run(stop.clone()));
        Self {
            writer: handle,
            _stop: stop.drop_guard(),
        }
    }

    async fn append(
        &self,
        (stream, account_id): (Stream, AccountId),
        version: u64,
        event: Event,
        rows: Rows,
    ) -> FeedEvent {
        let kind = match &event {
            Event::Token(event) => serde_json::to_value(event),
            Event::Account(event) => serde_json::to_value(event),
        };
        let name = kind.unwrap()["type"].as_str().unwrap().to_owned();
        let new = NewEvent {
            event_id: SystemEntropy.uuid_v7(now()),
            stream,
            account_id,
            stream_version: version,
            event,
            actor: "operator:test".to_owned(),
            request_id: "test".to_owned(),
            occurred_at: now(),
        };
        let submission = Submission {
            events: vec![new],
            rows,
            ..Submission::default()
        };
        let appended = self.writer.append(submission).await.unwrap();
        let position = u64::try_from(appended.first_position).unwrap();
        FeedEvent::of(position, stream.kind(), stream.id(), version, &name, b"{}")
    }

    pub async fn issue(&self, brand: &str) -> Held {
        let id = AccountId(SystemEntropy.uuid_v7(now()));
        let event = AccountEvent::Registered(AccountRegistered {
            external_id: None,
            identity: None,
            role: Role::User,
            token_limit: None,
            rate_limits: RateLimits::default(),
            quotas: Quotas::default(),
        });
        let account = account::evolve(None, id, &event, now()).unwrap();
        let mut rows = Rows::default();
        accounts::project(&account, &mut rows);
        self.append((Stream::Account(id), id), 1, Event::Account(event), rows)
            .await;

        let secret = TokenSecret::generate(&brand.parse().unwrap(), Environment::Live, |bytes| {
            SystemEntropy.fill(bytes);
        });
        let issued = TokenIssued {
            account_id: account.id,
            name: TokenName::new("a token").unwrap(),
            environment: Environment::Live,
            token_prefix: secret.prefix().to_owned(),
            secret_hash: secret.hash(),
            scopes: ["orders:*".parse().unwrap()].into_iter().collect(),
            metadata: Metadata::default(),
            not_before: None,
            expires_at: Some(now() + chrono::TimeDelta::days(30)),
            allowed_cidrs: NetworkSet::default(),
            rate_limits: RateLimits::default(),
            quotas: Quotas::default(),
            issued_by: None,
        };
        let held = Held {
            token: token::evolve(
                None,
                TokenId(SystemEntropy.uuid_v7(now())),
                &TokenEvent::Issued(Box::new(issued.clone())),
                now(),
            )
            .unwrap(),
            account,
            text: secret.expose().to_owned(),
        };
        self.write_token(&held, TokenEvent::Issued(Box::new(issued)))
            .await;
        held
    }

    pub async fn suspend(&self, held: &mut Held) -> FeedEvent {
        self.change(held, TokenEvent::Suspended(Default::default()))
            .await
    }

    pub async fn resume(&self, held: &mut Held) -> FeedEvent {
        self.change(held, TokenEvent::Resumed(Default::default()))
            .await
    }

    pub async fn revoke(&self, held: &mut Held) -> FeedEvent {
        let reason = RevocationReason::KeyCompromise;
        self.change(held, TokenEvent::Revoked(TokenRevoked { reason }))
            .await
    }

    pub async fn suspend_account(&self, held: &mut Held) {
        self.change_account(held, AccountEvent::Suspended(Default::default()))
            .await;
    }

    async fn change_account(&self, held: &mut Held, event: AccountEvent) {
        let account = held.account.clone();
        held.account = account::evolve(Some(account), held.account.id, &event, now()).unwrap();
        let mut rows = Rows::default();
        accounts::project(&held.account, &mut rows);
        let id = held.account.id;
        let stream = (Stream::Account(id), id);
        self.append(stream, held.account.version, Event::Account(event), rows)
            .await;
    }

    /// Binds it to networks, or to none.
    pub async fn bind(&self, held: &mut Held, networks: &[&str]) -> FeedEvent {
        let networks: Vec<_> = networks.iter().map(|text| text.parse().unwrap()).collect();
        let restrictions = Restrictions {
            allowed_cidrs: networks.try_into().unwrap(),
            ..Restrictions::default()
        };
        self.change(held, TokenEvent::RestrictionsChanged(restrictions))
            .await
    }

    /// Limits it, or lifts the limits that it has.
    pub async fn limit(&self, held: &mut Held, rate_limits: RateLimits) -> FeedEvent {
        let restrictions = Restrictions {
            rate_limits,
            ..held.token.restrictions.clone()
        };
        self.change(held, TokenEvent::RestrictionsChanged(restrictions))
            .await
    }

    /// The same of its account.
    pub async fn limit_account(&self, held: &mut Held, rate_limits: RateLimits) {
        let changed = AccountChanged {
            external_id: None,
            role: held.account.role,
            token_limit: None,
            rate_limits,
            quotas: held.account.quotas.clone(),
        };
        self.change_account(held, AccountEvent::Changed(changed))
            .await;
    }

    /// Gives it these quotas and no others.
    pub async fn set_quotas(&self, held: &mut Held, quotas: Quotas) -> FeedEvent {
        let restrictions = Restrictions {
            quotas,
            ..held.token.restrictions.clone()
        };
        self.change(held, TokenEvent::RestrictionsChanged(restrictions))
            .await
    }

    /// The same of its account.
    pub async fn set_account_quotas(&self, held: &mut Held, quotas: Quotas) {
        let changed = AccountChanged {
            external_id: None,
            role: held.account.role,
            token_limit: None,
            rate_limits: held.account.rate_limits.clone(),
            quotas,
        };
        self.change_account(held, AccountEvent::Changed(changed))
            .await;
    }

    /// Lets a quota of the token be full again.
    pub async fn refill(&self, held: &mut Held, name: &str) -> FeedEvent {
        let refilled = QuotaRefilled {
            name: name.into(),
            generation: held.token.quota_generation + 1,
        };
        self.change(held, TokenEvent::QuotaRefilled(refilled)).await
    }

    async fn change(&self, held: &mut Held, event: TokenEvent) -> FeedEvent {
        let token = held.token.clone();
        held.token = token::evolve(Some(token), held.token.id, &event, now()).unwrap();
        self.write_token(held, event).await
    }

    async fn write_token(&self, held: &Held, event: TokenEvent) -> FeedEvent {
        let mut rows = Rows::default();
        tokens::project(&held.token, &mut rows);
        let stream = (Stream::Token(held.token.id), held.account.id);
        self.append(stream, held.token.version, Event::Token(event), rows)
            .await
    }
}
