//! Finds the entries that an event is about. Holds exactly the entries the cache holds.

use std::collections::HashMap;
use std::sync::Arc;

use tollkeeper_domain::ids::{AccountId, TokenId};

use crate::entry::{AccountState, TokenEntry};
use crate::facts::AccountFacts;

/// The entries of one token: one as a rule, more while old secrets are in their grace.
#[derive(Debug)]
enum Entries {
    One(Arc<TokenEntry>),
    Several(Vec<Arc<TokenEntry>>),
}

impl Entries {
    fn as_slice(&self) -> &[Arc<TokenEntry>] {
        match self {
            Self::One(entry) => std::slice::from_ref(entry),
            Self::Several(entries) => entries,
        }
    }
}

#[derive(Debug)]
struct AccountSlot {
    state: Arc<AccountState>,
    entries: usize,
}

/// Entries by token, and accounts as long as they have entries.
#[derive(Debug, Default)]
pub(crate) struct Index {
    tokens: HashMap<TokenId, Entries>,
    accounts: HashMap<AccountId, AccountSlot>,
}

impl Index {
    /// The entries of a token.
    pub(crate) fn entries(&self, token: TokenId) -> &[Arc<TokenEntry>] {
        self.tokens.get(&token).map_or(&[], Entries::as_slice)
    }

    /// An account that has entries.
    pub(crate) fn account(&self, account: AccountId) -> Option<&Arc<AccountState>> {
        self.accounts.get(&account).map(|slot| &slot.state)
    }

    /// The shared state of an account, made if it is the first of its tokens.
    pub(crate) fn account_for(&self, facts: &AccountFacts) -> Arc<AccountState> {
        self.account(facts.account_id)
            .cloned()
            .unwrap_or_else(|| Arc::new(AccountState::new(facts)))
    }

    /// Adds an entry in place of one with the same digest.
    pub(crate) fn add(&mut self, entry: &Arc<TokenEntry>) {
        let token = entry.facts.token_id;
        let replaced = self
            .entries(token)
            .iter()
            .find(|other| other.digest == entry.digest)
            .cloned();
        if let Some(replaced) = replaced {
            self.remove(&replaced);
        }
        self.accounts
            .entry(entry.account.id)
            .or_insert_with(|| AccountSlot {
                state: Arc::clone(&entry.account),
                entries: 0,
            })
            .entries += 1;
        match self.tokens.remove(&token) {
            None => self.tokens.insert(token, Entries::One(Arc::clone(entry))),
            Some(entries) => {
                let mut several = entries.as_slice().to_vec();
                several.push(Arc::clone(entry));
                self.tokens.insert(token, Entries::Several(several))
            }
        };
    }

    /// Removes this very entry; one that is not there is no concern.
    pub(crate) fn remove(&mut self, entry: &Arc<TokenEntry>) {
        let token = entry.facts.token_id;
        let before = self.entries(token);
        let mut left: Vec<_> = before
            .iter()
            .filter(|other| !Arc::ptr_eq(other, entry))
            .cloned()
            .collect();
        if left.len() == before.len() {
            return;
        }
        match left.len() {
            0 => self.tokens.remove(&token),
            1 => left
                .pop()
                .and_then(|last| self.tokens.insert(token, Entries::One(last))),
            _ => self.tokens.insert(token, Entries::Several(left)),
        };
        if let Some(slot) = self.accounts.get_mut(&entry.account.id) {
            slot.entries -= 1;
            if slot.entries == 0 {
                self.accounts.remove(&entry.account.id);
            }
        }
    }

    /// Tokens and accounts in the index.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.tokens.len(), self.accounts.len())
    }
}
