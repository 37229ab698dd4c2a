//! A primary in memory: tokens, accounts and the log, whose look-ups can be held after they took
//! their snapshot, and which can be cut off or put back to an earlier state.

mod answers;
mod quotas;

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;
use tollkeeper_authn::{AccountFacts, Attendance, BalanceKey, FeedEvent, SourceError, TokenFacts};
use tollkeeper_domain::account::{self, Role};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::rate_limit::{RateLimit, RateLimits};
use tollkeeper_domain::secret::{Environment, SecretHash, TokenSecret};
use tollkeeper_domain::token::{self, Restrictions};
use uuid::Uuid;

use crate::world::World;

/// A token as its holder has it.
#[derive(Debug, Clone)]
pub struct Held {
    pub id: TokenId,
    pub account: AccountId,
    pub text: String,
}

fn rate_limits(limits: &[(&str, u32, u32, u32)]) -> RateLimits {
    let limit = |(name, limit, window_seconds, burst): &(&str, u32, u32, u32)| RateLimit {
        name: (*name).into(),
        limit: *limit,
        window_seconds: *window_seconds,
        burst: *burst,
        cost: 1,
    };
    limits
        .iter()
        .map(limit)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

pub struct Primary {
    world: Mutex<World>,
    /// Look-ups that have taken their snapshot.
    begun: watch::Sender<usize>,
    /// Which of them may answer, by their number.
    allowed: watch::Sender<RangeInclusive<usize>>,
    cut: AtomicBool,
    /// Whether it is asked through the API, which tells no digests.
    is_remote: bool,
    is_broken: AtomicBool,
    next: AtomicU64,
    /// What the node has told of itself; `None` where it has left.
    attended: Mutex<Vec<Option<Attendance>>>,
    /// What is counted of quotas, by source.
    counted: Mutex<HashMap<(BalanceKey, Uuid), u64>>,
    /// How often balances of each owner were asked for.
    balances_read: Mutex<HashMap<Uuid, usize>>,
    /// Digests of the tokens that were used, the last one at the end.
    used: Mutex<Vec<SecretHash>>,
}

impl Default for Primary {
    fn default() -> Self {
        Self {
            world: Mutex::default(),
            begun: watch::Sender::new(0),
            allowed: watch::Sender::new(1..=usize::MAX),
            cut: AtomicBool::new(false),
            is_remote: false,
            is_broken: AtomicBool::new(false),
            next: AtomicU64::new(1),
            attended: Mutex::default(),
            counted: Mutex::default(),
            balances_read: Mutex::default(),
            used: Mutex::default(),
        }
    }
}

impl Primary {
    /// One whose answers go through the bodies of the API for nodes.
    pub fn remote() -> Self {
        Self {
            is_remote: true,
            ..Self::default()
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// What the node has told of itself; `None` where it has left.
    pub fn attended(&self) -> Vec<Option<Attendance>> {
        self.attended.lock().unwrap().clone()
    }

    /// Notes that a token was used, on whatever node.
    pub fn note_use(&self, token: &Held) {
        let digest = SecretHash::of(token.text.as_bytes());
        self.used.lock().unwrap().push(digest);
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// A well-formed token that nobody issued.
    pub fn made_up(&self) -> String {
        let number = self.number();
        let secret = TokenSecret::generate(&"tk".parse().unwrap(), Environment::Live, |bytes| {
            for (index, byte) in bytes.iter_mut().enumerate() {
                *byte = ((number >> (index % 8 * 5)) & 31) as u8;
            }
        });
        secret.expose().to_owned()
    }

    pub fn register(&self) -> AccountId {
        let id = AccountId(Uuid::from_u128(u128::from(self.number())));
        let mut world = self.world();
        world.accounts.insert(
            id,
            AccountFacts {
                account_id: id,
                version: 1,
                lifecycle: account::Lifecycle::Active,
                role: Role::User,
                rate_limits: None,
                quotas: None,
            },
        );
        world.append_named("account", id.0, 1, "AccountRegistered", None);
        id
    }

    /// A new token with the scope `read`.
    pub fn issue(&self, account: AccountId) -> Held {
        let text = self.made_up();
        self.issue_as(account, text)
    }

    pub fn issue_as(&self, account: AccountId, text: String) -> Held {
        let id = TokenId(Uuid::from_u128(u128::from(self.number())));
        let digest = SecretHash::of(text.as_bytes());
        let mut world = self.world();
        world.tokens.insert(
            id,
            TokenFacts {
                token_id: id,
                account_id: account,
                version: 1,
                environment: Environment::Live,
                scopes: ["read".parse().unwrap()].into_iter().collect(),
                not_before: None,
                expires_at: None,
                secret_valid_until: None,
                lifecycle: token::Lifecycle::Active,
                restrictions: None,
            },
        );
        world.secrets.insert(digest, (id, None));
        world.append_named("token", id.0, 1, "TokenIssued", Some(digest));
        Held { id, account, text }
    }

    /// Gives a token another secret; the earlier ones work until `until`.
    pub fn rotate(&self, token: &Held, until: i64) -> Held {
        let text = self.made_up();
        let digest = SecretHash::of(text.as_bytes());
        let mut world = self.world();
        for (owner, valid_until) in world.secrets.values_mut() {
            if *owner == token.id && valid_until.is_none() {
                *valid_until = Some(until);
            }
        }
        world.secrets.insert(digest, (token.id, None));
        let facts = world.tokens.get_mut(&token.id).unwrap();
        facts.version += 1;
        let version = facts.version;
        world.append_named("token", token.id.0, version, "TokenRotated", Some(digest));
        Held {
            text,
            ..token.clone()
        }
    }

    /// Changes a token and writes an event of that name.
    pub fn change(
        &self,
        token: &Held,
        name: &str,
        change: impl FnOnce(&mut TokenFacts),
    ) -> FeedEvent {
        let mut world = self.world();
        let facts = world.tokens.get_mut(&token.id).unwrap();
        change(facts);
        facts.version += 1;
        let version = facts.version;
        world.append_named("token", token.id.0, version, name, None)
    }

    pub fn revoke(&self, token: &Held) -> FeedEvent {
        self.change(token, "TokenRevoked", |facts| {
            facts.lifecycle = token::Lifecycle::Revoked;
        })
    }

    pub fn suspend(&self, token: &Held) -> FeedEvent {
        self.change(token, "TokenSuspended", |facts| {
            facts.lifecycle = token::Lifecycle::Suspended;
        })
    }

    pub fn resume(&self, token: &Held) -> FeedEvent {
        self.change(token, "TokenResumed", |facts| {
            facts.lifecycle = token::Lifecycle::Active;
        })
    }

    pub fn set_scopes(&self, token: &Held, scopes: &[&str]) -> FeedEvent {
        self.change(token, "TokenScopesChanged", |facts| {
            facts.scopes = scopes.iter().map(|scope| scope.parse().unwrap()).collect();
        })
    }

    /// Binds a token to networks, or to none.
    pub fn bind(&self, token: &Held, networks: &[&str]) -> FeedEvent {
        let networks: Vec<_> = networks.iter().map(|text| text.parse().unwrap()).collect();
        let restrictions = Restrictions {
            allowed_cidrs: networks.try_into().unwrap(),
            ..Restrictions::default()
        };
        self.change(token, "TokenRestrictionsChanged", |facts| {
            facts.restrictions = (!restrictions.is_none()).then(|| Box::new(restrictions));
        })
    }

    /// Limits a token: name, units, seconds, and units at once.
    pub fn limit(&self, token: &Held, limits: &[(&str, u32, u32, u32)]) -> FeedEvent {
        let restrictions = Restrictions {
            rate_limits: rate_limits(limits),
            ..Restrictions::default()
        };
        self.change(token, "TokenRestrictionsChanged", |facts| {
            facts.restrictions = (!restrictions.is_none()).then(|| Box::new(restrictions));
        })
    }

    /// Limits all tokens of an account together.
    pub fn limit_account(&self, account: AccountId, limits: &[(&str, u32, u32, u32)]) -> FeedEvent {
        let limits = Some(rate_limits(limits)).filter(|limits| !limits.is_empty());
        self.change_account(account, "AccountChanged", |facts| {
            facts.rate_limits = limits.map(Arc::new);
        })
    }

    pub fn change_account(
        &self,
        account: AccountId,
        name: &str,
        change: impl FnOnce(&mut AccountFacts),
    ) -> FeedEvent {
        let mut world = self.world();
        let facts = world.accounts.get_mut(&account).unwrap();
        change(facts);
        facts.version += 1;
        let version = facts.version;
        world.append_named("account", account.0, version, name, None)
    }

    pub fn set_account(&self, account: AccountId, lifecycle: account::Lifecycle) -> FeedEvent {
        let name = match lifecycle {
            account::Lifecycle::Active => "AccountResumed",
            account::Lifecycle::Suspended => "AccountSuspended",
            account::Lifecycle::Deleted => "AccountDeleted",
        };
        self.change_account(account, name, |facts| facts.lifecycle = lifecycle)
    }

    /// Changes a token's row as no event does, by hand.
    pub fn tamper(&self, token: &Held, lifecycle: token::Lifecycle) {
        let mut world = self.world();
        world.tokens.get_mut(&token.id).unwrap().lifecycle = lifecycle;
    }

    /// Puts a token's row right as a rebuild does.
    pub fn rebuild(&self, token: &Held, lifecycle: token::Lifecycle) {
        self.tamper(token, lifecycle);
        self.world().generation += 1;
    }

    /// Appends events that are about nothing that is in memory.
    pub fn append_noise(&self, events: usize) {
        for _ in 0..events {
            let id = Uuid::from_u128(u128::from(self.number()) << 64);
            self.world()
                .append_named("token", id, 1, "TokenRenamed", None);
        }
    }

    pub fn backup(&self) -> World {
        self.world().clone()
    }

    pub fn restore(&self, backup: World) {
        *self.world() = backup;
    }

    /// From now on look-ups take their snapshot and then wait.
    pub fn hold(&self) {
        self.allowed.send_replace(1..=self.lookups());
    }

    /// Lets the held look-ups go, and all that follow.
    pub fn release(&self) {
        self.allowed.send_replace(1..=usize::MAX);
    }

    /// Lets the look-ups up to this number go, counted from 1.
    pub fn release_up_to(&self, number: usize) {
        self.allowed.send_replace(1..=number);
    }

    /// Lets the look-up of this number go, counted from 1, and no other.
    pub fn release_only(&self, number: usize) {
        self.allowed.send_replace(number..=number);
    }

    /// From now on whoever attends panics: a fault of ours.
    pub fn break_down(&self) {
        self.is_broken.store(true, Ordering::Relaxed);
    }

    pub fn set_cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::Relaxed);
    }

    /// Waits until so many look-ups in all have taken their snapshot.
    pub async fn wait_for_lookups(&self, number: usize) {
        let mut begun = self.begun.subscribe();
        begun.wait_for(|begun| *begun >= number).await.unwrap();
    }

    pub fn lookups(&self) -> usize {
        *self.begun.borrow()
    }

    fn reachable(&self) -> Result<(), SourceError> {
        if self.cut.load(Ordering::Relaxed) {
            return Err(SourceError::Database("cut off".into()));
        }
        Ok(())
    }
}
