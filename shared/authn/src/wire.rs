//! How a node without a database and the API that it asks talk to each other: the bodies, of which
//! both sides are made.
//!
//! No digest of a secret goes out in any of them: a look-up is answered by the place of the digest
//! among those asked for, and an event says no more than that there are new secrets.

mod balances;
mod ledger;
mod marks;

use serde::{Deserialize, Serialize};
use tollkeeper_domain::secret::SecretHash;

use crate::facts::{AccountFacts, TokenFacts};
use crate::feed::{Change, FeedEvent, LogHash, LogHead, LoggedEvent};
use crate::source::{Found, Lookup, SourceError};

pub use balances::{Balance, BalanceUsed, Balances, BalancesUsed, MOST_BALANCES, MOST_OWN_SOURCES};
pub use ledger::{MOST_SOURCES, Settled, SettledSource, Sources};
pub use marks::{Given, UsageMark};

/// The most digests in one look-up.
pub const MOST_DIGESTS: usize = 128;

/// The most events in one page.
pub const MOST_EVENTS: usize = 1_000;

/// What a node tells of itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(as = NodeReport, example = json!({
        "name": "orders",
        "version": "0.1.0",
        "applied": {
            "position": 48_211,
            "hash": "4f0c1d2e3b4a59687766554433221100ffeeddccbbaa99887766554433221100",
            "generation": 0,
        },
        "valid_for_ms": 60_000,
    }))
)]
pub struct Report {
    /// The name of the service or machine, for people.
    #[cfg_attr(
        feature = "openapi",
        schema(
            min_length = 1,
            max_length = 100,
            pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
        )
    )]
    pub name: String,
    /// The version of its program.
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 1, max_length = 50, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")
    )]
    pub version: String,
    /// Up to where it has applied the log; null where it knows nothing yet.
    #[serde(default)]
    pub applied: Option<Head>,
    /// For how long it answers without reporting again, in milliseconds; null for as long as it runs.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(maximum = 604_800_000))]
    pub valid_for_ms: Option<u64>,
}

/// How far a log reaches.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(as = LogHead, example = json!({
        "position": 48_211,
        "hash": "4f0c1d2e3b4a59687766554433221100ffeeddccbbaa99887766554433221100",
        "generation": 0,
    }))
)]
pub struct Head {
    /// The position of the last event.
    #[cfg_attr(feature = "openapi", schema(maximum = 9_223_372_036_854_775_807_u64))]
    pub position: u64,
    /// The chain's hash there.
    #[serde(with = "hex")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub hash: LogHash,
    /// How often rows were replaced outside of the log's order.
    #[cfg_attr(feature = "openapi", schema(maximum = 9_223_372_036_854_775_807_u64))]
    pub generation: u64,
}

/// Tokens to be looked up, by the SHA-256 of what was presented.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(as = NodeLookup, example = json!({
        "digests": ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    }))
)]
pub struct Digests {
    /// At most 128.
    #[cfg_attr(feature = "openapi", schema(max_items = 128))]
    pub digests: Vec<SecretHash>,
}

/// What a look-up found, in one snapshot.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(as = NodeFound, example = json!({
        "head": {
            "position": 48_211,
            "hash": "4f0c1d2e3b4a59687766554433221100ffeeddccbbaa99887766554433221100",
            "generation": 0,
        },
        "found": [],
    }))
)]
pub struct FoundTokens {
    /// The log's head in the snapshot.
    pub head: Head,
    /// The known ones among the digests.
    pub found: Vec<FoundToken>,
}

/// A digest that belongs to a token.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = NodeFoundToken))]
pub struct FoundToken {
    /// The place of the digest among those asked for.
    pub index: usize,
    /// What is known of the token, for nodes.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub token: TokenFacts,
    /// What is known of its account, for nodes.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub account: AccountFacts,
}

/// A page of the log, as verification sees it.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(as = NodeEvents, example = json!({ "items": [{
        "position": 48_212,
        "hash": "4f0c1d2e3b4a59687766554433221100ffeeddccbbaa99887766554433221100",
        "version": 2,
        "change": { "token": { "id": "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f", "effect": "ended" } },
        "new_secrets": false,
    }] }))
)]
pub struct Events {
    /// In the one order of all events, without gaps.
    pub items: Vec<Event>,
}

/// One event of the log.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = NodeEvent))]
pub struct Event {
    /// Where it stands.
    pub position: u64,
    /// The chain's hash there.
    #[serde(with = "hex")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub hash: LogHash,
    /// The version that it gave to its token or account.
    pub version: u64,
    /// What it changed.
    #[cfg_attr(feature = "openapi", schema(value_type = serde_json::Value))]
    pub change: Change,
    /// Whether there are secrets since then: what was unknown may be known.
    pub new_secrets: bool,
}

impl From<LogHead> for Head {
    fn from(head: LogHead) -> Self {
        Self {
            position: head.position,
            hash: head.hash,
            generation: head.generation,
        }
    }
}

impl From<Head> for LogHead {
    fn from(head: Head) -> Self {
        Self {
            position: head.position,
            hash: head.hash,
            generation: head.generation,
        }
    }
}

impl FoundTokens {
    /// What was found of these digests.
    #[must_use]
    pub fn of(lookup: Lookup, digests: &[SecretHash]) -> Self {
        let found = lookup.found.into_iter().filter_map(|found| {
            let index = digests.iter().position(|digest| *digest == found.digest)?;
            Some(FoundToken {
                index,
                token: found.token,
                account: found.account,
            })
        });
        Self {
            found: found.collect(),
            head: lookup.head.into(),
        }
    }

    /// The same for whoever asked for these digests.
    ///
    /// # Errors
    /// [`SourceError::Corrupt`] if it is no answer to them.
    pub fn read(self, digests: &[SecretHash]) -> Result<Lookup, SourceError> {
        let found = self.found.into_iter().map(|found| {
            let digest = digests.get(found.index);
            Ok(Found {
                digest: *digest.ok_or(SourceError::Corrupt("nobody asked for this token"))?,
                token: found.token,
                account: found.account,
            })
        });
        Ok(Lookup {
            found: found.collect::<Result<_, _>>()?,
            head: self.head.into(),
        })
    }
}

impl From<LoggedEvent> for Event {
    fn from(logged: LoggedEvent) -> Self {
        let secrets = match &logged.event.change {
            Change::Token { secrets, .. } => !secrets.is_empty(),
            Change::Account { .. } | Change::Unrelated => false,
        };
        Self {
            position: logged.event.position,
            hash: logged.hash,
            version: logged.event.version,
            // Its secrets are left out as it is written.
            change: logged.event.change,
            new_secrets: secrets || logged.hides_secrets,
        }
    }
}

impl From<Event> for LoggedEvent {
    fn from(event: Event) -> Self {
        Self {
            hash: event.hash,
            hides_secrets: event.new_secrets,
            event: FeedEvent {
                position: event.position,
                version: event.version,
                // Nodes without a database are not told.
                recorded_at_micros: None,
                change: event.change,
            },
        }
    }
}

/// 32 bytes as 64 hexadecimal digits.
mod hex {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use tollkeeper_domain::secret::SecretHash;

    use crate::feed::LogHash;

    pub(super) fn serialize<S: Serializer>(hash: &LogHash, to: S) -> Result<S::Ok, S::Error> {
        SecretHash(*hash).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<LogHash, D::Error> {
        SecretHash::deserialize(from).map(|hash| hash.0)
    }
}

#[cfg(test)]
mod tests {
    use tollkeeper_domain::ids::TokenId;
    use uuid::Uuid;

    use super::*;
    use crate::feed::Effect;

    #[test]
    fn an_event_tells_of_new_secrets_and_not_which() {
        let digest = SecretHash::of(b"a token");
        let logged = LoggedEvent {
            hash: [7; 32],
            hides_secrets: false,
            event: FeedEvent {
                position: 3,
                version: 1,
                recorded_at_micros: None,
                change: Change::Token {
                    id: TokenId(Uuid::nil()),
                    effect: Effect::Changed,
                    secrets: vec![digest],
                },
            },
        };
        let text = serde_json::to_string(&Event::from(logged)).unwrap();
        let shown = serde_json::to_string(&digest).unwrap();
        assert!(!text.contains(shown.trim_matches('"')), "{text}");
        let event: Event = serde_json::from_str(&text).unwrap();
        let back = LoggedEvent::from(event);
        assert!(back.hides_secrets && back.hash == [7; 32] && back.event.position == 3);
    }

    #[test]
    fn an_event_of_something_else_tells_its_place() {
        let logged = LoggedEvent {
            hash: [7; 32],
            hides_secrets: false,
            event: FeedEvent {
                position: 3,
                version: 1,
                recorded_at_micros: None,
                change: Change::Unrelated,
            },
        };
        let text = serde_json::to_string(&Event::from(logged.clone())).unwrap();
        let event: Event = serde_json::from_str(&text).unwrap();
        assert_eq!(LoggedEvent::from(event), logged);
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        let head = Head {
            position: 1,
            hash: [0; 32],
            generation: 0,
        };
        let answer = FoundTokens {
            head,
            found: Vec::new(),
        };
        assert!(answer.read(&[]).is_ok());
        let text = r#"{"position":1,"hash":"00","generation":0}"#;
        assert!(serde_json::from_str::<Head>(text).is_err());
    }
}
