//! A token in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arc_swap::ArcSwapOption;
use tollkeeper_domain::account::Role;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::secret::SecretHash;

use crate::facts::{AccountFacts, TokenFacts};
use crate::limits::bucket::Owner;
use crate::limits::set::LimitSet;
use crate::limits::store::Buckets;
use crate::quotas::set::QuotaSet;
use crate::quotas::store::Balances;
use crate::standing::{Snapshot, Standing};

/// What an entry costs beside itself and its scopes: the cache's slot and map, the index by token,
/// the shared account in the worst case of one token each, and what the allocator adds. The
/// benchmark measures the true figure.
const OVERHEAD_BYTES: usize = 500;

/// Its tokens act across accounts.
const SYSTEM: u8 = 1;
/// It has limits: a bit, so that the many tokens that nothing limits look no further.
const LIMITED: u8 = 1 << 1;
/// It has quotas, likewise.
const COUNTED: u8 = 1 << 2;

/// What went through this node, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Books<'a> {
    pub(crate) buckets: &'a Buckets,
    pub(crate) balances: &'a Balances,
    /// In ticks of the buckets.
    pub(crate) ticks: u64,
    pub(crate) wall_micros: i64,
}

/// One account, shared by all its tokens in memory, so that one event denies them all at once.
#[derive(Debug)]
pub(crate) struct AccountState {
    pub(crate) id: AccountId,
    pub(crate) standing: Standing,
    flags: AtomicU8,
    limits: ArcSwapOption<LimitSet>,
    quotas: ArcSwapOption<QuotaSet>,
}

impl AccountState {
    /// The account that a read found, to be renewed by the same read.
    pub(crate) fn new(facts: &AccountFacts) -> Self {
        Self {
            id: facts.account_id,
            standing: Standing::new(facts.lifecycle.into(), facts.version),
            flags: AtomicU8::new(0),
            limits: ArcSwapOption::empty(),
            quotas: ArcSwapOption::empty(),
        }
    }

    /// Takes over a read that began after everything heard of the account. The standing comes last:
    /// whoever sees it renewed sees the rest.
    pub(crate) fn renew(&self, facts: &AccountFacts, books: Books<'_>) {
        let rules = facts.rate_limits.as_deref().filter(|it| !it.is_empty());
        let known = self.limits.load();
        let same = match (&*known, rules) {
            (Some(known), Some(rules)) => known.is_of(rules),
            (known, rules) => known.is_none() && rules.is_none(),
        };
        if !same {
            let owner = Owner::Account(self.id.0);
            let limits = rules.map(|rules| {
                Arc::new(LimitSet::new(rules, |rule| {
                    books.buckets.bucket(owner, rule, books.ticks)
                }))
            });
            self.limits.store(limits);
        }
        let mut flags = 0;
        if facts.role == Role::System {
            flags |= SYSTEM;
        }
        if rules.is_some() {
            flags |= LIMITED;
        }
        if self.renew_quotas(facts, books) {
            flags |= COUNTED;
        }
        self.flags.store(flags, Ordering::Release);
        self.standing.renew(facts.lifecycle.into(), facts.version);
    }

    /// Tells whether it has any.
    fn renew_quotas(&self, facts: &AccountFacts, books: Books<'_>) -> bool {
        let rules = facts.quotas.as_deref().filter(|it| !it.is_empty());
        let known = self.quotas.load();
        let same = match (&*known, rules) {
            (Some(known), Some(rules)) => known.is_of(rules),
            (known, rules) => known.is_none() && rules.is_none(),
        };
        if !same {
            let owner = Owner::Account(self.id.0);
            let quotas = rules.map(|rules| {
                Arc::new(QuotaSet::new(rules, |rule| {
                    books.balances.balance(owner, rule, books.wall_micros)
                }))
            });
            self.quotas.store(quotas);
        }
        rules.is_some()
    }

    pub(crate) fn role(&self) -> Role {
        if self.flags.load(Ordering::Acquire) & SYSTEM != 0 {
            Role::System
        } else {
            Role::User
        }
    }

    /// What all tokens of the account together are limited by.
    pub(crate) fn limits(&self) -> Option<Arc<LimitSet>> {
        if self.flags.load(Ordering::Acquire) & LIMITED != 0 {
            self.limits.load_full()
        } else {
            None
        }
    }

    /// How many uses all tokens of the account together have.
    pub(crate) fn quotas(&self) -> Option<Arc<QuotaSet>> {
        if self.has_quotas() {
            self.quotas.load_full()
        } else {
            None
        }
    }

    fn is_limited(&self) -> bool {
        self.flags.load(Ordering::Acquire) & (LIMITED | COUNTED) != 0
    }

    fn has_quotas(&self) -> bool {
        self.flags.load(Ordering::Acquire) & COUNTED != 0
    }
}

/// A token under one of its digests: what a read found, never changed, and what was heard since.
#[derive(Debug)]
pub(crate) struct TokenEntry {
    pub(crate) digest: SecretHash,
    pub(crate) facts: TokenFacts,
    pub(crate) standing: Standing,
    pub(crate) account: Arc<AccountState>,
    /// What the token is limited by, beside its account.
    pub(crate) limits: Option<Box<LimitSet>>,
    /// How many uses it has, beside its account.
    pub(crate) quotas: Option<Box<QuotaSet>>,
    weight: u32,
}

impl TokenEntry {
    pub(crate) fn new(
        digest: SecretHash,
        facts: TokenFacts,
        account: Arc<AccountState>,
        books: Books<'_>,
    ) -> Self {
        let scopes = facts.scopes.as_str().len();
        let restrictions = facts.restrictions.as_deref();
        let rules = restrictions.map(|it| &it.rate_limits);
        let owner = Owner::Token(facts.token_id.0);
        let limits = rules.filter(|rules| !rules.is_empty()).map(|rules| {
            Box::new(LimitSet::new(rules, |rule| {
                books.buckets.bucket(owner, rule, books.ticks)
            }))
        });
        let rules = restrictions.map(|it| &it.quotas);
        let quotas = rules.filter(|rules| !rules.is_empty()).map(|rules| {
            Box::new(QuotaSet::new(rules, |rule| {
                books.balances.balance(owner, rule, books.wall_micros)
            }))
        });
        let restrictions = restrictions.map_or(0, |it| size_of_val(it) + it.heap_bytes());
        let of_account = account.limits();
        let limited = [limits.as_deref(), of_account.as_deref()];
        let limited: usize = limited.into_iter().flatten().map(LimitSet::bytes).sum();
        let of_account = account.quotas();
        let counted = [quotas.as_deref(), of_account.as_deref()];
        let counted: usize = counted.into_iter().flatten().map(QuotaSet::bytes).sum();
        let bounds = restrictions + limited + counted;
        let bytes = size_of::<Self>() + OVERHEAD_BYTES + scopes + bounds;
        Self {
            digest,
            standing: Standing::new(Snapshot::from(facts.lifecycle), facts.version),
            facts,
            account,
            limits,
            quotas,
            weight: u32::try_from(bytes).unwrap_or(u32::MAX),
        }
    }

    /// Bytes it counts for in the cache.
    pub(crate) fn weight(&self) -> u64 {
        u64::from(self.weight)
    }

    /// Whether nothing but a denial can come of it, however old the knowledge.
    pub(crate) fn is_ended(&self) -> bool {
        self.standing.get().is_ended() || self.account.standing.get().is_ended()
    }

    /// The same, messages believed.
    pub(crate) fn is_said_to_have_ended(&self) -> bool {
        let token = self.standing.get().believing_hints();
        token.is_ended() || self.account.standing.get().believing_hints().is_ended()
    }

    /// Whether the primary must be read before it is used.
    pub(crate) fn must_read(&self) -> bool {
        self.standing.get().must_read() || self.account.standing.get().must_read()
    }

    /// Whether it has limits or quotas, of its own or of its account.
    pub(crate) fn is_limited(&self) -> bool {
        self.limits.is_some() || self.quotas.is_some() || self.account.is_limited()
    }

    /// Whether it has quotas, of its own or of its account.
    pub(crate) fn has_quotas(&self) -> bool {
        self.quotas.is_some() || self.account.has_quotas()
    }

    /// Whether it is known to be wrong.
    pub(crate) fn is_outdated(&self) -> bool {
        self.standing.get().is_outdated() || self.account.standing.get().is_outdated()
    }
}
