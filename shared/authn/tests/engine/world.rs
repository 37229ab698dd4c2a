//! What a primary in memory holds, and how its log goes on.

use std::collections::HashMap;

use tollkeeper_authn::{AccountFacts, Change, FeedEvent, Found, LogHead, LoggedEvent, TokenFacts};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::secret::SecretHash;
use uuid::Uuid;

/// Everything the primary holds.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub(super) tokens: HashMap<TokenId, TokenFacts>,
    pub(super) secrets: HashMap<SecretHash, (TokenId, Option<i64>)>,
    pub(super) accounts: HashMap<AccountId, AccountFacts>,
    pub(super) log: Vec<LoggedEvent>,
    /// Differs between histories, so that their hashes do.
    pub history: u8,
    pub(super) generation: u64,
}

impl World {
    pub(super) fn head(&self) -> LogHead {
        LogHead {
            position: self.log.len() as u64,
            hash: self.log.last().map_or([0; 32], |last| last.hash),
            generation: self.generation,
        }
    }

    fn append(&mut self, version: u64, change: Change) -> FeedEvent {
        let event = FeedEvent {
            position: self.log.len() as u64 + 1,
            version,
            recorded_at_micros: None,
            change,
        };
        let mut chained = self.head().hash.to_vec();
        chained.push(self.history);
        chained.extend(serde_json::to_vec(&event).unwrap());
        self.log.push(LoggedEvent {
            hash: SecretHash::of(&chained).0,
            hides_secrets: false,
            event: event.clone(),
        });
        event
    }

    pub(super) fn append_named(
        &mut self,
        stream: &str,
        id: Uuid,
        version: u64,
        name: &str,
        secret: Option<SecretHash>,
    ) -> FeedEvent {
        let payload = serde_json::json!({ "secret_hash": secret }).to_string();
        let event = FeedEvent::of(0, stream, id, version, name, payload.as_bytes());
        self.append(version, event.change)
    }

    pub(super) fn find(&self, digest: &SecretHash) -> Option<Found> {
        let (token, valid_until) = self.secrets.get(digest)?;
        let mut token = self.tokens[token].clone();
        token.secret_valid_until = *valid_until;
        Some(Found {
            digest: *digest,
            account: self.accounts[&token.account_id].clone(),
            token,
        })
    }
}
