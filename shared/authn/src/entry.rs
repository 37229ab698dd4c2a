//! A token in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tollkeeper_domain::account::Role;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::secret::SecretHash;

use crate::facts::{AccountFacts, TokenFacts};
use crate::standing::{Snapshot, Standing};

/// What an entry costs beside itself and its scopes: the cache's slot and map, the index by token,
/// the shared account in the worst case of one token each, and what the allocator adds. The
/// benchmark measures the true figure.
const OVERHEAD_BYTES: usize = 500;

/// What a set of scopes costs per scope beside the text.
const SCOPE_OVERHEAD_BYTES: usize = 40;

/// One account, shared by all its tokens in memory, so that one event denies them all at once.
#[derive(Debug)]
pub(crate) struct AccountState {
    pub(crate) id: AccountId,
    pub(crate) standing: Standing,
    system: AtomicU8,
}

impl AccountState {
    pub(crate) fn new(facts: &AccountFacts) -> Self {
        Self {
            id: facts.account_id,
            standing: Standing::new(facts.lifecycle.into(), facts.version),
            system: AtomicU8::new(u8::from(facts.role == Role::System)),
        }
    }

    /// Takes over a read that began after everything heard of the account.
    pub(crate) fn renew(&self, facts: &AccountFacts) {
        let system = u8::from(facts.role == Role::System);
        self.system.store(system, Ordering::Release);
        self.standing.renew(facts.lifecycle.into(), facts.version);
    }

    pub(crate) fn role(&self) -> Role {
        if self.system.load(Ordering::Acquire) == 1 {
            Role::System
        } else {
            Role::User
        }
    }
}

/// A token under one of its digests: what a read found, never changed, and what was heard since.
#[derive(Debug)]
pub(crate) struct TokenEntry {
    pub(crate) digest: SecretHash,
    pub(crate) facts: TokenFacts,
    pub(crate) standing: Standing,
    pub(crate) account: Arc<AccountState>,
    weight: u32,
}

impl TokenEntry {
    pub(crate) fn new(digest: SecretHash, facts: TokenFacts, account: Arc<AccountState>) -> Self {
        let scopes: usize = facts
            .scopes
            .iter()
            .map(|scope| scope.as_str().len() + SCOPE_OVERHEAD_BYTES)
            .sum();
        let restrictions = facts.restrictions.as_deref();
        let restrictions = restrictions.map_or(0, |it| size_of_val(it) + it.heap_bytes());
        let bytes = size_of::<Self>() + OVERHEAD_BYTES + scopes + restrictions;
        Self {
            digest,
            standing: Standing::new(Snapshot::from(facts.lifecycle), facts.version),
            facts,
            account,
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

    /// Whether it is known to be wrong.
    pub(crate) fn is_outdated(&self) -> bool {
        self.standing.get().is_outdated() || self.account.standing.get().is_outdated()
    }
}
