//! Any event of the log: its type, the version of its payload's schema, and the payload.

use serde::Serialize;
use serde_json::{Value, json};

use crate::account::AccountEvent;
use crate::ids::{AccountId, TokenId};
use crate::token::TokenEvent;

/// Whose history an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// A token's.
    Token(TokenId),
    /// An account's.
    Account(AccountId),
}

impl Stream {
    /// `token` or `account`.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Account(_) => "account",
        }
    }

    /// The id within the kind.
    #[must_use]
    pub const fn id(self) -> uuid::Uuid {
        match self {
            Self::Token(id) => id.0,
            Self::Account(id) => id.0,
        }
    }

    /// The stream of this kind and id.
    #[must_use]
    pub fn of(kind: &str, id: uuid::Uuid) -> Option<Self> {
        match kind {
            "token" => Some(Self::Token(id.into())),
            "account" => Some(Self::Account(id.into())),
            _ => None,
        }
    }
}

/// One event of either kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Of a token.
    Token(TokenEvent),
    /// Of an account.
    Account(AccountEvent),
}

/// Why a stored event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// This binary does not know the type in this version: it is older than the log.
    #[error("event type {name} in schema version {schema_version} is not known to this binary")]
    Unknown {
        /// The type.
        name: String,
        /// The version of its schema.
        schema_version: u32,
    },
    /// The payload does not have the form that its type and version promise.
    #[error("the payload of {name} version {schema_version} is damaged: {source}")]
    Payload {
        /// The type.
        name: String,
        /// The version of its schema.
        schema_version: u32,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Every type with the newest version of its schema. A change to a payload raises the version and
/// adds an upcast to [`Event::read`] and a golden file; golden files are never edited.
pub const TYPES: [(&str, u32); 19] = [
    ("TokenIssued", 4),
    ("TokenImported", 4),
    ("TokenRenamed", 1),
    ("TokenScopesChanged", 1),
    ("TokenExpiryChanged", 1),
    ("TokenRestrictionsChanged", 3),
    ("TokenQuotaRefilled", 1),
    ("TokenMetadataChanged", 1),
    ("TokenRotated", 1),
    ("TokenSuspended", 1),
    ("TokenResumed", 1),
    ("TokenRevoked", 1),
    ("TokenExpiring", 1),
    ("AccountRegistered", 4),
    ("AccountChanged", 4),
    ("AccountQuotaRefilled", 1),
    ("AccountSuspended", 1),
    ("AccountResumed", 1),
    ("AccountDeleted", 1),
];

impl Event {
    /// The event's type.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Token(event) => match event {
                TokenEvent::Issued(_) => "TokenIssued",
                TokenEvent::Imported(_) => "TokenImported",
                TokenEvent::Renamed(_) => "TokenRenamed",
                TokenEvent::ScopesChanged(_) => "TokenScopesChanged",
                TokenEvent::ExpiryChanged(_) => "TokenExpiryChanged",
                TokenEvent::RestrictionsChanged(_) => "TokenRestrictionsChanged",
                TokenEvent::QuotaRefilled(_) => "TokenQuotaRefilled",
                TokenEvent::MetadataChanged(_) => "TokenMetadataChanged",
                TokenEvent::Rotated(_) => "TokenRotated",
                TokenEvent::Suspended(_) => "TokenSuspended",
                TokenEvent::Resumed(_) => "TokenResumed",
                TokenEvent::Revoked(_) => "TokenRevoked",
                TokenEvent::Expiring(_) => "TokenExpiring",
            },
            Self::Account(event) => match event {
                AccountEvent::Registered(_) => "AccountRegistered",
                AccountEvent::Changed(_) => "AccountChanged",
                AccountEvent::QuotaRefilled(_) => "AccountQuotaRefilled",
                AccountEvent::Suspended(_) => "AccountSuspended",
                AccountEvent::Resumed(_) => "AccountResumed",
                AccountEvent::Deleted(_) => "AccountDeleted",
            },
        }
    }

    /// The version of the payload's schema as it is written today.
    #[must_use]
    pub fn schema_version(&self) -> u32 {
        let name = self.name();
        TYPES
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(1, |(_, version)| *version)
    }

    /// The payload as JSON.
    ///
    /// # Errors
    /// If the payload cannot be written as JSON, which no payload of today can cause.
    pub fn payload(&self) -> Result<Value, serde_json::Error> {
        fn content(event: &impl Serialize) -> Result<Value, serde_json::Error> {
            Ok(serde_json::to_value(event)?["payload"].take())
        }
        match self {
            Self::Token(event) => content(event),
            Self::Account(event) => content(event),
        }
    }

    /// Reads a stored event of any version that was ever written.
    ///
    /// # Errors
    /// [`Unreadable`] if the type, its version or its payload is not known.
    pub fn read(name: &str, schema_version: u32, payload: Value) -> Result<Self, Unreadable> {
        let newest = TYPES.iter().find(|(known, _)| *known == name);
        if !newest.is_some_and(|(_, newest)| (1..=*newest).contains(&schema_version)) {
            return Err(Unreadable::Unknown {
                name: name.to_owned(),
                schema_version,
            });
        }
        let payload = upcast(name, schema_version, payload);
        let tagged = json!({ "type": name, "payload": payload });
        let event = if name.starts_with("Token") {
            serde_json::from_value(tagged).map(Self::Token)
        } else {
            serde_json::from_value(tagged).map(Self::Account)
        };
        event.map_err(|source| Unreadable::Payload {
            name: name.to_owned(),
            schema_version,
            source,
        })
    }
}

/// Brings a payload of an earlier version to the form of the newest one.
fn upcast(name: &str, schema_version: u32, mut payload: Value) -> Value {
    let mut add = |field: &str, value| {
        if let Some(fields) = payload.as_object_mut() {
            fields.insert(field.to_owned(), value);
        }
    };
    match (name, schema_version) {
        // Accounts had no limit of their own.
        ("AccountRegistered" | "AccountChanged", 1) => {
            add("token_limit", Value::Null);
            add("rate_limits", json!([]));
        }
        // Tokens could be used from anywhere.
        ("TokenIssued" | "TokenImported", 1) => {
            add("allowed_cidrs", json!([]));
            add("rate_limits", json!([]));
        }
        // Nothing had rate limits.
        ("TokenIssued" | "TokenImported" | "AccountRegistered" | "AccountChanged", 2)
        | ("TokenRestrictionsChanged", 1) => add("rate_limits", json!([])),
        _ => {}
    }
    // Nothing had quotas.
    if let ("TokenIssued" | "TokenImported" | "AccountRegistered" | "AccountChanged", 1..=3)
    | ("TokenRestrictionsChanged", 1..=2) = (name, schema_version)
    {
        add("quotas", json!([]));
    }
    payload
}
