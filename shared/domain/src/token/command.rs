//! What may be asked of a token. Times, ids and hashes are made by the caller.

use chrono::{DateTime, TimeDelta, Utc};

use super::event::{RevocationReason, TokenIssued};
use super::fields::{Metadata, TokenName, Validity};
use super::restrictions::Restrictions;
use super::state::Token;
use crate::network::NetworkSet;
use crate::quota::NewQuotas;
use crate::rate_limit::RateLimits;
use crate::scope::ScopeSet;
use crate::secret::SecretHash;

/// Something asked of one token.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Let it come into being.
    Issue(Box<Issue>),
    /// Let it be known here, although another system issued it.
    Import(Box<Issue>),
    /// Change what can be changed.
    Change(Box<Change>),
    /// Let its quota of this name be full again.
    RefillQuota(Box<str>),
    /// Give it a new secret.
    Rotate(Rotate),
    /// Let it rest.
    Suspend,
    /// Let it work again.
    Resume,
    /// End it.
    Revoke(RevocationReason),
    /// Tell that its expiry is near, if it is and has not been told.
    AnnounceExpiry,
}

/// Let a token come into being.
#[derive(Debug, Clone, PartialEq)]
pub struct Issue {
    /// All that will be known of it.
    pub token: TokenIssued,
    /// How far ahead its expiry may lie; open if it need not expire.
    pub longest: Option<TimeDelta>,
}

/// Change what can be changed; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// The new name.
    pub name: Option<TokenName>,
    /// All scopes from now on.
    pub scopes: Option<ScopeSet>,
    /// All metadata from now on.
    pub metadata: Option<Metadata>,
    /// All networks it may be used from from now on; with none in it, anywhere.
    pub allowed_cidrs: Option<NetworkSet>,
    /// All rate limits from now on.
    pub rate_limits: Option<RateLimits>,
    /// All quotas from now on.
    pub quotas: Option<NewQuotas>,
    /// The new start, or none at all.
    pub not_before: Option<Option<DateTime<Utc>>>,
    /// The new end, or none at all.
    pub expires_at: Option<Option<DateTime<Utc>>>,
    /// How far ahead the expiry may lie; open if it need not expire.
    pub longest: Option<TimeDelta>,
}

impl Change {
    /// The token's restrictions as they would become.
    #[must_use]
    pub fn restrictions(&self, token: &Token) -> Restrictions {
        let now = &token.restrictions;
        let allowed_cidrs = self.allowed_cidrs.as_ref().unwrap_or(&now.allowed_cidrs);
        let rate_limits = self.rate_limits.as_ref().unwrap_or(&now.rate_limits);
        Restrictions {
            allowed_cidrs: allowed_cidrs.clone(),
            rate_limits: rate_limits.clone(),
            quotas: match &self.quotas {
                Some(asked) => now.quotas.becoming(asked, token.quota_generation),
                None => now.quotas.clone(),
            },
        }
    }

    /// The token's validity as it would become.
    #[must_use]
    pub fn validity(&self, token: &Token) -> Validity {
        Validity {
            not_before: self.not_before.unwrap_or(token.validity.not_before),
            expires_at: self.expires_at.unwrap_or(token.validity.expires_at),
        }
    }
}

/// Give a token a new secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotate {
    /// What people will recognise it by.
    pub token_prefix: String,
    /// The SHA-256 of the new whole token.
    pub secret_hash: SecretHash,
    /// How long the earlier secrets go on working; 0 to 7 days.
    pub grace: TimeDelta,
}
