//! Histories that a few accounts and tokens may have, made by the writer that commands use.

use std::net::{Ipv4Addr, Ipv6Addr};

use chrono::{DateTime, TimeDelta, Utc};
use ipnet::IpNet;
use proptest::prelude::*;
use sqlx::PgPool;
use tokio_util::sync::{CancellationToken, DropGuard};
use tollkeeper_domain::account::{self, AccountRegistered, Role};
use tollkeeper_domain::event::{Event, Stream};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::network::{Network, NetworkSet};
use tollkeeper_domain::quota::{MAX_USES, NewQuota, NewQuotas, QuotaRefill, Quotas};
use tollkeeper_domain::rate_limit::{MAX_UNITS, MAX_WINDOW_SECONDS, RateLimit, RateLimits};
use tollkeeper_domain::secret::{Environment, SecretHash};
use tollkeeper_domain::token::{
    self, Change, Issue, Metadata, RevocationReason, Rotate, TokenIssued, TokenName,
};
use tollkeeper_event_store::{NewEvent, Submission, Writer, WriterHandle};
use tollkeeper_read_model::replay::World;
use tollkeeper_read_model::{accounts, tokens};
use uuid::Uuid;

/// Something asked of one of a few accounts or tokens.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Account(u8, account::Command),
    Token(u8, token::Command),
}

fn account_command() -> impl Strategy<Value = account::Command> {
    let name = proptest::option::of("[a-zé ]{1,8}");
    prop_oneof![
        3 => Just(account::Command::Suspend),
        3 => Just(account::Command::Resume),
        1 => Just(account::Command::Delete),
        1 => quota_name().prop_map(account::Command::RefillQuota),
        3 => (proptest::option::of(name), any::<bool>(), limits(), quotas()).prop_map(|(external_id, system, rate_limits, quotas)| {
            let role = if system { Role::System } else { Role::User };
            account::Command::Change { external_id, role: Some(role), token_limit: Some(system.then_some(9)), rate_limits, quotas, profile_changes: system }
        }),
    ]
}

fn time() -> impl Strategy<Value = Option<DateTime<Utc>>> {
    let micros = 1_800_000_000_000_000..1_900_000_000_000_000_i64;
    proptest::option::of(micros.prop_map(|at| DateTime::from_timestamp_micros(at).unwrap()))
}

fn network(bits: u128, prefix: u8, width: u8) -> Network {
    let network = match u32::try_from(bits) {
        Ok(bits) if width == 32 => IpNet::new(Ipv4Addr::from(bits).into(), prefix),
        _ => IpNet::new(Ipv6Addr::from(bits).into(), prefix),
    };
    network.unwrap().trunc().to_string().parse().unwrap()
}

/// Limits with all names apart, where they are changed at all.
fn limits() -> impl Strategy<Value = Option<RateLimits>> {
    let numbers = (1..=MAX_UNITS, 1..=MAX_WINDOW_SECONDS);
    let limit = ("[a-z0-9._-]{1,31}", numbers, any::<u32>(), any::<u32>()).prop_map(
        |(name, (limit, window_seconds), burst, cost)| {
            let burst = burst % limit + 1;
            RateLimit {
                name: name.into(),
                limit,
                window_seconds,
                burst,
                cost: cost % burst + 1,
            }
        },
    );
    proptest::option::of(proptest::collection::vec(limit, 0..4)).prop_map(|limits| {
        let mut limits = limits?;
        for (limit, letter) in limits.iter_mut().zip(["a", "b", "c"]) {
            limit.name = format!("{}{letter}", limit.name).into();
        }
        Some(limits.try_into().unwrap())
    })
}

/// One of a few, so that refills find theirs and quotas come again.
fn quota_name() -> impl Strategy<Value = Box<str>> {
    prop_oneof![Just("a"), Just("b.-_9")].prop_map(|name| -> Box<str> { name.into() })
}

/// Quotas with all names apart, where they are changed at all.
fn quotas() -> impl Strategy<Value = Option<NewQuotas>> {
    let refill = prop_oneof![
        Just(QuotaRefill::None),
        Just(QuotaRefill::Monthly),
        Just(QuotaRefill::Daily),
    ];
    let quotas = proptest::collection::btree_map(quota_name(), (1..=MAX_USES, refill), 0..3);
    proptest::option::of(quotas).prop_map(|quotas| {
        let quotas = quotas?.into_iter().map(|(name, (limit, refill))| NewQuota {
            name,
            limit,
            refill,
        });
        Some(quotas.collect::<Vec<_>>().try_into().unwrap())
    })
}

fn change() -> impl Strategy<Value = token::Command> {
    let scopes = proptest::collection::vec("[a-z]{1,6}(:\\*)?", 0..4);
    let network = prop_oneof![
        (any::<u32>(), 0..33_u8).prop_map(|(bits, prefix)| network(bits.into(), prefix, 32)),
        (any::<u128>(), 0..129_u8).prop_map(|(bits, prefix)| network(bits, prefix, 128)),
    ];
    let networks = proptest::option::of(proptest::collection::vec(network, 0..4));
    let metadata = proptest::collection::hash_map("[a-z\"\\\\é]{1,3}", any::<f64>(), 0..3);
    (
        proptest::option::of("[A-Za-z'\"]{1,12}"),
        scopes,
        metadata,
        networks,
        limits(),
        quotas(),
        time(),
        time(),
    )
        .prop_map(
            |(name, scopes, metadata, networks, rate_limits, quotas, not_before, expires_at)| {
                let metadata = metadata.into_iter().map(|(key, value)| (key, value.into()));
                token::Command::Change(Box::new(Change {
                    name: name.map(|name| TokenName::new(&name).unwrap()),
                    scopes: Some(scopes.iter().map(|scope| scope.parse().unwrap()).collect()),
                    metadata: Metadata::new(metadata.collect()).ok(),
                    allowed_cidrs: networks.map(|it| it.try_into().unwrap()),
                    rate_limits,
                    quotas,
                    not_before: Some(not_before),
                    expires_at: Some(expires_at),
                    longest: None,
                }))
            },
        )
}

fn token_command() -> impl Strategy<Value = token::Command> {
    prop_oneof![
        4 => change(),
        3 => (any::<[u8; 32]>(), 0..1000_i64).prop_map(|(hash, grace)| {
            token::Command::Rotate(Rotate {
                token_prefix: format!("tk_live_{:02x}{:02x}", hash[0], hash[1]),
                secret_hash: SecretHash(hash),
                grace: TimeDelta::seconds(grace),
            })
        }),
        2 => quota_name().prop_map(token::Command::RefillQuota),
        2 => Just(token::Command::Suspend),
        2 => Just(token::Command::Resume),
        1 => Just(token::Command::Revoke(RevocationReason::Superseded)),
    ]
}

pub(crate) fn asked() -> impl Strategy<Value = Asked> {
    prop_oneof![
        1 => (0..3_u8, account_command()).prop_map(|(at, command)| Asked::Account(at, command)),
        4 => (0..6_u8, token_command()).prop_map(|(at, command)| Asked::Token(at, command)),
    ]
}

/// The history so far, and the writer that makes it.
pub(crate) struct History {
    pool: PgPool,
    world: World,
    writer: WriterHandle,
    now: DateTime<Utc>,
    events: u128,
    _stop: DropGuard,
}

impl History {
    /// Three accounts of two tokens each.
    pub(crate) async fn begin(pool: &PgPool) -> Self {
        let mut history = Self::of(pool);
        for at in 0..3 {
            history
                .ask(&Asked::Account(at, Self::beginning(at).0))
                .await;
        }
        for at in 0..6 {
            history.ask(&Asked::Token(at, Self::beginning(at).1)).await;
        }
        history
    }

    fn of(pool: &PgPool) -> Self {
        let (writer, handle) = Writer::new(pool.clone());
        let stop = CancellationToken::new();
        tokio::spawn(writer.run(stop.clone()));
        Self {
            pool: pool.clone(),
            world: World::default(),
            writer: handle,
            now: DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
            events: 0,
            _stop: stop.drop_guard(),
        }
    }

    /// Goes on with what this history has come to, as another process and with other ids.
    pub(crate) fn elsewhere(&self, number: u128) -> Self {
        Self {
            world: World {
                accounts: self.world.accounts.clone(),
                tokens: self.world.tokens.clone(),
            },
            now: self.now,
            events: number << 64,
            ..Self::of(&self.pool)
        }
    }

    pub(crate) fn account_id(at: u8) -> AccountId {
        AccountId(Uuid::from_u128(100 + u128::from(at)))
    }

    /// Asks for a new secret; those of one `number` are the same.
    pub(crate) fn rotation(at: u8, number: u32, grace: i64) -> Asked {
        let mut hash = [0xee; 32];
        hash[..4].copy_from_slice(&number.to_be_bytes());
        Asked::Token(
            at,
            token::Command::Rotate(Rotate {
                token_prefix: "tk_live_next".into(),
                secret_hash: SecretHash(hash),
                grace: TimeDelta::seconds(grace),
            }),
        )
    }

    /// Asks for another name of an account.
    pub(crate) fn external_id(at: u8, name: &str) -> Asked {
        Asked::Account(
            at,
            account::Command::Change {
                external_id: Some(Some(name.to_owned())),
                role: None,
                token_limit: None,
                rate_limits: None,
                quotas: None,
                profile_changes: false,
            },
        )
    }

    pub(crate) fn token_id(at: u8) -> TokenId {
        TokenId(Uuid::from_u128(200 + u128::from(at)))
    }

    fn beginning(at: u8) -> (account::Command, token::Command) {
        let registered = AccountRegistered {
            external_id: None,
            identity: None,
            role: Role::User,
            token_limit: None,
            rate_limits: RateLimits::default(),
            quotas: Quotas::default(),
        };
        let issued = TokenIssued {
            account_id: Self::account_id(at / 2),
            name: TokenName::new("begun").unwrap(),
            environment: Environment::Test,
            token_prefix: "tk_test_0000".into(),
            secret_hash: SecretHash([at; 32]),
            scopes: std::iter::empty().collect(),
            metadata: Metadata::default(),
            not_before: None,
            expires_at: None,
            allowed_cidrs: NetworkSet::default(),
            rate_limits: RateLimits::default(),
            quotas: Quotas::default(),
            issued_by: None,
        };
        let issue = Issue {
            token: issued,
            longest: None,
        };
        (
            account::Command::Register(registered),
            token::Command::Issue(Box::new(issue)),
        )
    }

    pub(crate) async fn ask(&mut self, asked: &Asked) {
        self.now += TimeDelta::microseconds(777_777);
        let now = self.now;
        let mut submission = Submission::default();
        let (stream, account_id, version, events) = match asked {
            Asked::Account(at, command) => {
                let id = Self::account_id(*at);
                let before = self.world.accounts.get(&id).cloned();
                let version = before.as_ref().map_or(0, |it| it.version);
                let Ok(events) = account::decide(before.as_ref(), command) else {
                    return;
                };
                if events.is_empty() {
                    return;
                }
                let after = events.iter().fold(before, |it, event| {
                    Some(account::evolve(it, id, event, now).unwrap())
                });
                accounts::project(after.as_ref().unwrap(), &mut submission.rows);
                self.world.accounts.insert(id, after.unwrap());
                submission.changing_accounts.push(id);
                let events: Vec<_> = events.into_iter().map(Event::Account).collect();
                (Stream::Account(id), id, version, events)
            }
            Asked::Token(at, command) => {
                let id = Self::token_id(*at);
                let before = self.world.tokens.get(&id).cloned();
                let version = before.as_ref().map_or(0, |it| it.version);
                let Ok(events) = token::decide(before.as_ref(), command, now) else {
                    return;
                };
                if events.is_empty() {
                    return;
                }
                let after = events.iter().fold(before, |it, event| {
                    Some(token::evolve(it, id, event, now).unwrap())
                });
                let account_id = after.as_ref().unwrap().account_id;
                tokens::project_change(after.as_ref().unwrap(), &mut submission.rows);
                self.world.tokens.insert(id, after.unwrap());
                let events: Vec<_> = events.into_iter().map(Event::Token).collect();
                (Stream::Token(id), account_id, version, events)
            }
        };
        for (stream_version, event) in (version + 1..).zip(events) {
            self.events += 1;
            submission.events.push(NewEvent {
                event_id: Uuid::from_u128(self.events),
                stream,
                account_id,
                stream_version,
                event,
                actor: "operator:test".into(),
                request_id: "r".into(),
                occurred_at: now,
            });
        }
        // Another account may have the external id: then nothing happens.
        if self.writer.append(submission).await.is_err() {
            let Stream::Account(id) = stream else {
                panic!("a token's events are taken")
            };
            let events = tollkeeper_event_store::load(&self.pool, stream)
                .await
                .unwrap();
            let account = tollkeeper_read_model::replay::account(&events)
                .unwrap()
                .unwrap();
            self.world.accounts.insert(id, account);
        }
    }
}
