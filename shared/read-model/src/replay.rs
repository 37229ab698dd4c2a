//! Folds the events of the log into what tokens and accounts are.

use std::collections::BTreeMap;

use tollkeeper_domain::BrokenHistory;
use tollkeeper_domain::account::{self, Account};
use tollkeeper_domain::event::{Event, Stream};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::token::{self, Token};
use tollkeeper_event_store::{Rows, StoredEvent};

use crate::{accounts, tokens};

/// All tokens and accounts after some events.
#[derive(Debug, Default)]
pub struct World {
    /// The accounts.
    pub accounts: BTreeMap<AccountId, Account>,
    /// The tokens.
    pub tokens: BTreeMap<TokenId, Token>,
}

/// An event that cannot follow on those before it.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Of a history.
    #[error("event {position}: {source}")]
    History {
        /// Where it stands.
        position: i64,
        /// What is wrong.
        source: BrokenHistory,
    },
    /// The stream and the event are not of one kind, or the version is not the next one.
    #[error("event {position} does not belong where it stands")]
    Misplaced {
        /// Where it stands.
        position: i64,
    },
}

impl World {
    /// Applies the next event.
    ///
    /// # Errors
    /// [`ReplayError`] if it cannot follow on those before it.
    pub fn apply(&mut self, stored: &StoredEvent) -> Result<(), ReplayError> {
        let position = stored.position;
        let history = |source| ReplayError::History { position, source };
        let version = match (stored.stream, &stored.event) {
            (Stream::Token(id), Event::Token(event)) => {
                let before = self.tokens.remove(&id);
                let after =
                    token::evolve(before, id, event, stored.occurred_at).map_err(history)?;
                self.tokens.entry(id).or_insert(after).version
            }
            (Stream::Account(id), Event::Account(event)) => {
                let before = self.accounts.remove(&id);
                let after =
                    account::evolve(before, id, event, stored.occurred_at).map_err(history)?;
                self.accounts.entry(id).or_insert(after).version
            }
            _ => return Err(ReplayError::Misplaced { position }),
        };
        if version == stored.stream_version {
            Ok(())
        } else {
            Err(ReplayError::Misplaced { position })
        }
    }

    /// The rows that the tables should hold.
    #[must_use]
    pub fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        self.accounts
            .values()
            .for_each(|account| accounts::project(account, &mut rows));
        self.tokens
            .values()
            .for_each(|token| tokens::project(token, &mut rows));
        rows
    }
}

/// One token from its own events.
///
/// # Errors
/// [`ReplayError`] if they do not follow on one another.
pub fn token(events: &[StoredEvent]) -> Result<Option<Token>, ReplayError> {
    let mut world = World::default();
    events.iter().try_for_each(|event| world.apply(event))?;
    Ok(world.tokens.into_values().next())
}

/// One account from its own events.
///
/// # Errors
/// [`ReplayError`] if they do not follow on one another.
pub fn account(events: &[StoredEvent]) -> Result<Option<Account>, ReplayError> {
    let mut world = World::default();
    events.iter().try_for_each(|event| world.apply(event))?;
    Ok(world.accounts.into_values().next())
}
