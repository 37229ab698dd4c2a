//! What can have happened to a token. Each fact is small and carries no secret; the hash of a
//! secret is here because a rebuild needs it, and is stripped from every feed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::fields::{Metadata, TokenName};
use super::restrictions::Restrictions;
use crate::ids::{AccountId, TokenId};
use crate::network::NetworkSet;
use crate::quota::{QuotaRefilled, Quotas};
use crate::rate_limit::RateLimits;
use crate::scope::ScopeSet;
use crate::secret::{Environment, SecretHash};

/// One fact in the life of a token. The name of the variant's payload is the event's type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "payload")]
#[allow(missing_docs, reason = "each variant's payload says what it is")]
pub enum TokenEvent {
    #[serde(rename = "TokenIssued")]
    Issued(Box<TokenIssued>),
    #[serde(rename = "TokenImported")]
    Imported(Box<TokenIssued>),
    #[serde(rename = "TokenRenamed")]
    Renamed(TokenRenamed),
    #[serde(rename = "TokenScopesChanged")]
    ScopesChanged(TokenScopesChanged),
    #[serde(rename = "TokenExpiryChanged")]
    ExpiryChanged(TokenExpiryChanged),
    #[serde(rename = "TokenRestrictionsChanged")]
    RestrictionsChanged(Restrictions),
    #[serde(rename = "TokenQuotaRefilled")]
    QuotaRefilled(QuotaRefilled),
    #[serde(rename = "TokenMetadataChanged")]
    MetadataChanged(TokenMetadataChanged),
    #[serde(rename = "TokenRotated")]
    Rotated(TokenRotated),
    #[serde(rename = "TokenSuspended")]
    Suspended(Empty),
    #[serde(rename = "TokenResumed")]
    Resumed(Empty),
    #[serde(rename = "TokenRevoked")]
    Revoked(TokenRevoked),
    #[serde(rename = "TokenExpiring")]
    Expiring(TokenExpiring),
}

/// A fact that says everything by its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// A token came into being, or was brought here from the system that issued it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenIssued {
    /// Its owner.
    pub account_id: AccountId,
    /// What people call it.
    pub name: TokenName,
    /// What kind of traffic it is for.
    pub environment: Environment,
    /// What people recognise it by.
    pub token_prefix: String,
    /// The SHA-256 of the whole token.
    pub secret_hash: SecretHash,
    /// What it may be used for.
    pub scopes: ScopeSet,
    /// What the account keeps with it.
    pub metadata: Metadata,
    /// First moment at which it works.
    pub not_before: Option<DateTime<Utc>>,
    /// First moment at which it works no more.
    pub expires_at: Option<DateTime<Utc>>,
    /// Where it may be used from.
    pub allowed_cidrs: NetworkSet,
    /// How much it may do in how much time.
    pub rate_limits: RateLimits,
    /// How many uses it has.
    pub quotas: Quotas,
    /// The token that was used to issue it, if one was.
    pub issued_by: Option<TokenId>,
}

impl TokenIssued {
    /// What bounds its use beside scopes and time.
    #[must_use]
    pub fn restrictions(&self) -> Restrictions {
        Restrictions {
            allowed_cidrs: self.allowed_cidrs.clone(),
            rate_limits: self.rate_limits.clone(),
            quotas: self.quotas.clone(),
        }
    }
}

/// It got another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRenamed {
    /// The new name.
    pub name: TokenName,
}

/// It may be used for other things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenScopesChanged {
    /// All its scopes from now on.
    pub scopes: ScopeSet,
}

/// It works from or until another moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenExpiryChanged {
    /// First moment at which it works.
    pub not_before: Option<DateTime<Utc>>,
    /// First moment at which it works no more.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What the account keeps with it changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenMetadataChanged {
    /// All of it from now on.
    pub metadata: Metadata,
}

/// It got a new secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRotated {
    /// What people recognise it by from now on.
    pub token_prefix: String,
    /// The SHA-256 of the new whole token.
    pub secret_hash: SecretHash,
    /// First moment at which no earlier secret works.
    pub previous_valid_until: DateTime<Utc>,
}

/// It will never work again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRevoked {
    /// Why.
    pub reason: RevocationReason,
}

/// Its expiry has come near. Told once for each of [`super::EXPIRY_NOTICES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenExpiring {
    /// How many days, at most, are left.
    pub days: u16,
    /// First moment at which it works no more.
    pub expires_at: DateTime<Utc>,
}

/// Why a token was revoked; modelled on the reason codes of RFC 5280, section 5.3.1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RevocationReason {
    /// Nobody said.
    #[default]
    Unspecified,
    /// Somebody else may know the secret.
    KeyCompromise,
    /// The holder may no longer do what it allowed.
    PrivilegeWithdrawn,
    /// Another token took its place.
    Superseded,
    /// What used it is no more.
    CessationOfOperation,
    /// Its account was deleted.
    AccountDeleted,
    /// It was found where everybody can read it.
    Leaked,
}

impl RevocationReason {
    /// The reason as it stands in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key_compromise",
            Self::PrivilegeWithdrawn => "privilege_withdrawn",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation_of_operation",
            Self::AccountDeleted => "account_deleted",
            Self::Leaked => "leaked",
        }
    }
}
