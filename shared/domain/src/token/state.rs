//! What a token is now.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::event::RevocationReason;
use super::fields::{Metadata, TokenName, Validity};
use super::restrictions::Restrictions;
use crate::ids::{AccountId, TokenId};
use crate::scope::ScopeSet;
use crate::secret::{Environment, SecretHash};

/// What somebody decided about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// It may work.
    Active,
    /// It rests until it is resumed.
    Suspended,
    /// It will never work again.
    Revoked,
}

/// [`Lifecycle`] together with the clock, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = TokenState, description = "What a token is, by the clock."))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It may work.
    Active,
    /// It rests until it is resumed.
    Suspended,
    /// It will never work again.
    Revoked,
    /// Its time is over.
    Expired,
}

impl Status {
    /// The state as it stands in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// One secret by which a token can be presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The SHA-256 of the whole token.
    pub hash: SecretHash,
    /// First moment at which it works no more; open for the current one.
    pub valid_until: Option<DateTime<Utc>>,
}

/// A token as all its events have made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Its name for machines.
    pub id: TokenId,
    /// Its owner.
    pub account_id: AccountId,
    /// Its name for people.
    pub name: TokenName,
    /// What kind of traffic it is for.
    pub environment: Environment,
    /// What people recognise it by.
    pub token_prefix: String,
    /// Its secrets, the current one last.
    pub secrets: Vec<Secret>,
    /// What it may be used for.
    pub scopes: ScopeSet,
    /// What the account keeps with it.
    pub metadata: Metadata,
    /// From when until when it works.
    pub validity: Validity,
    /// What bounds its use beside scopes and time.
    pub restrictions: Restrictions,
    /// The greatest generation that a quota of its ever had; 0 if none had one.
    pub quota_generation: u32,
    /// What was decided about it.
    pub lifecycle: Lifecycle,
    /// Why it was revoked, if it was.
    pub revocation_reason: Option<RevocationReason>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<DateTime<Utc>>,
    /// The last notice of its expiry, in days ahead. Notices that its whole life was too short for
    /// count as given.
    pub expiry_notice: Option<u16>,
    /// The token that was used to issue it, if one was.
    pub issued_by: Option<TokenId>,
    /// When it came into being.
    pub created_at: DateTime<Utc>,
    /// When the last thing happened to it.
    pub updated_at: DateTime<Utc>,
    /// How many events it has had.
    pub version: u64,
}

impl Token {
    /// Whether it takes up one of the places that its account has for tokens.
    #[must_use]
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        matches!(self.status(now), Status::Active | Status::Suspended)
    }

    /// Whether the secret of this hash works at `now`, as far as the secret is concerned.
    #[must_use]
    pub fn opens_with(&self, hash: SecretHash, now: DateTime<Utc>) -> bool {
        let mut secrets = self.secrets.iter().filter(|secret| secret.hash == hash);
        secrets.any(|secret| secret.valid_until.is_none_or(|until| until > now))
    }

    /// What people see at `now`.
    #[must_use]
    pub fn status(&self, now: DateTime<Utc>) -> Status {
        let over = self.validity.expires_at.is_some_and(|end| end <= now);
        match self.lifecycle {
            Lifecycle::Revoked => Status::Revoked,
            _ if over => Status::Expired,
            Lifecycle::Suspended => Status::Suspended,
            Lifecycle::Active => Status::Active,
        }
    }
}
