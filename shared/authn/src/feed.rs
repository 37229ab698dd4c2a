//! What the engine hears of the event log, and the one place where event types become effects.

use serde::{Deserialize, Serialize};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::secret::SecretHash;
use uuid::Uuid;

/// The hash of the log's chain at some position.
pub type LogHash = [u8; 32];

/// How far a log reaches. Two histories that differ have different hashes at the same position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// Position of the last event, 0 in an empty log.
    pub position: u64,
    /// The chain's hash there.
    pub hash: LogHash,
    /// How often rows were replaced outside of the log's order. Whatever was read before it moved
    /// may be wrong, and no event says so.
    pub generation: u64,
}

/// One event of the log as verification sees it.
///
/// Its JSON is the body of a hint between processes and holds no digest of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedEvent {
    /// Where it stands in the log.
    pub position: u64,
    /// The version it gave to its token or account.
    pub version: u64,
    /// When the log recorded it, in microseconds since the Unix epoch, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_at_micros: Option<i64>,
    /// What it changed.
    pub change: Change,
}

/// What an event changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Something about a token.
    Token {
        /// Which one.
        id: TokenId,
        /// What it means for those who present it.
        effect: Effect,
        /// Secrets that exist since this event. Never leaves the process.
        #[serde(skip)]
        secrets: Vec<SecretHash>,
    },
    /// Something about an account, and so about all its tokens.
    Account {
        /// Which one.
        id: AccountId,
        /// What it means for its tokens.
        effect: Effect,
    },
    /// Nothing that verification knows of.
    #[serde(other)]
    Unrelated,
}

/// What an event means for verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// A token revoked or an account deleted, for good.
    Ended,
    /// Suspended until resumed.
    Suspended,
    /// Nothing but a new version.
    Noted,
    /// Anything else, wider or narrower: only a read of the primary can tell.
    #[serde(other)]
    Changed,
}

/// The digests an event's payload may carry, whatever else is in it.
#[derive(Deserialize)]
struct Secrets {
    #[serde(default)]
    secret_hash: Option<SecretHash>,
}

impl FeedEvent {
    /// Reads an event as the log keeps it. Types this version does not know mean that the token or
    /// account must be read again; other streams are none of verification's business.
    #[must_use]
    pub fn of(
        position: u64,
        stream_type: &str,
        stream_id: Uuid,
        version: u64,
        event_type: &str,
        payload: &[u8],
    ) -> Self {
        let change = match stream_type {
            "token" => Change::Token {
                id: TokenId(stream_id),
                effect: match event_type {
                    "TokenRevoked" => Effect::Ended,
                    "TokenSuspended" => Effect::Suspended,
                    "TokenExpiring" => Effect::Noted,
                    _ => Effect::Changed,
                },
                secrets: serde_json::from_slice::<Secrets>(payload)
                    .ok()
                    .and_then(|found| found.secret_hash)
                    .into_iter()
                    .collect(),
            },
            "account" => Change::Account {
                id: AccountId(stream_id),
                effect: match event_type {
                    "AccountDeleted" => Effect::Ended,
                    "AccountSuspended" => Effect::Suspended,
                    _ => Effect::Changed,
                },
            },
            _ => Change::Unrelated,
        };
        Self {
            position,
            version,
            recorded_at_micros: None,
            change,
        }
    }
}

/// An event that was read from the log itself, with the chain's hash at its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// The chain's hash with this event.
    pub hash: LogHash,
    /// Whether there are secrets since this event that it does not name: a node without a database is
    /// told no digests, and so has to doubt all that it took for unknown.
    pub hides_secrets: bool,
    /// The event.
    pub event: FeedEvent,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(stream: &str, event_type: &str) -> Option<Effect> {
        match FeedEvent::of(1, stream, Uuid::nil(), 1, event_type, b"{}").change {
            Change::Token { effect, .. } | Change::Account { effect, .. } => Some(effect),
            Change::Unrelated => None,
        }
    }

    #[test]
    fn types_have_effects_and_unknown_ones_mean_read_again() {
        assert_eq!(effect("token", "TokenRevoked"), Some(Effect::Ended));
        assert_eq!(effect("token", "TokenSuspended"), Some(Effect::Suspended));
        assert_eq!(effect("token", "TokenExpiring"), Some(Effect::Noted));
        assert_eq!(effect("token", "TokenResumed"), Some(Effect::Changed));
        assert_eq!(
            effect("token", "TokenRestrictionsChanged"),
            Some(Effect::Changed)
        );
        assert_eq!(effect("token", "TokenQuotaRefilled"), Some(Effect::Changed));
        assert_eq!(effect("token", "TokenFolded"), Some(Effect::Changed));
        assert_eq!(effect("account", "AccountDeleted"), Some(Effect::Ended));
        assert_eq!(
            effect("account", "AccountSuspended"),
            Some(Effect::Suspended)
        );
        assert_eq!(effect("account", "AccountResumed"), Some(Effect::Changed));
        assert_eq!(effect("webhook", "WebhookDeleted"), None);
    }

    #[test]
    fn a_payload_gives_its_digest_and_the_wire_hides_it() {
        let digest = SecretHash::of(b"a token");
        let hex = serde_json::to_string(&digest).unwrap();
        let payload = format!(r#"{{"account_id":"x","secret_hash":{hex},"more":[1]}}"#);
        let event = FeedEvent::of(
            7,
            "token",
            Uuid::nil(),
            1,
            "TokenIssued",
            payload.as_bytes(),
        );
        let Change::Token { secrets, .. } = &event.change else {
            panic!("an event of a token");
        };
        assert_eq!(secrets, &[digest]);

        let wire = serde_json::to_string(&event).unwrap();
        assert!(!wire.contains(hex.trim_matches('"')), "{wire}");
        let back: FeedEvent = serde_json::from_str(&wire).unwrap();
        assert_eq!((back.position, back.version), (7, 1));
    }

    #[test]
    fn an_effect_of_a_later_version_means_read_again() {
        let wire = r#"{"position":1,"version":2,"change":{"token":
            {"id":"00000000-0000-0000-0000-000000000000","effect":"frozen"}}}"#;
        let event: FeedEvent = serde_json::from_str(wire).unwrap();
        assert!(matches!(
            event.change,
            Change::Token {
                effect: Effect::Changed,
                ..
            }
        ));
    }
}
