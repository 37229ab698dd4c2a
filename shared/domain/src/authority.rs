//! What the caller may hand on: nobody can give, renew or widen a token beyond their own reach.

use chrono::{DateTime, Utc};

use crate::account::Role;
use crate::network::NetworkSet;
use crate::quota::{NewQuotas, Quotas};
use crate::rate_limit::RateLimits;
use crate::scope::{Scope, ScopeSet, is_reserved};
use crate::secret::Environment;
use crate::token::{Restrictions, Token, Validity};

/// The management scopes that an account holder has by being the holder, and so may hand on.
const OF_ACCOUNT_HOLDERS: [&str; 5] = [
    "tollkeeper:tokens.read",
    "tollkeeper:tokens.write",
    "tollkeeper:usage.read",
    "tollkeeper:events.read",
    "tollkeeper:webhooks.write",
];

/// The reach of somebody who manages tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authority {
    /// Of the bearer of a token: what the token itself is.
    Token {
        /// What it may be used for.
        scopes: ScopeSet,
        /// When it, or the secret that was presented, ends.
        expires_at: Option<DateTime<Utc>>,
        /// What kind of traffic it is for.
        environment: Environment,
        /// What bounds its use.
        restrictions: Restrictions,
    },
    /// Of an account holder, within the account.
    Account {
        /// The scopes that the issuer of their JWT grants; none if it does not say, and then all
        /// that are not management scopes.
        granted: Option<ScopeSet>,
        /// What the account is for. The tokens of a system account act across accounts, so its
        /// management scopes are an operator's to give.
        role: Role,
    },
}

/// In what a target lies beyond the caller's reach. The text is fit for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Beyond {
    /// It allows what the caller may not hand on.
    #[error("the credential you used does not reach the scope `{0}`")]
    Scope(Scope),
    /// It lives longer than the caller's token.
    #[error("the token you used expires earlier")]
    Expiry,
    /// It is for the other environment.
    #[error("the token you used is for the other environment")]
    Environment,
    /// It works from where the caller's token does not.
    #[error("the token you used is not allowed from all networks that this one would be")]
    Networks,
    /// It may do more in the same time than the caller's token.
    #[error(
        "the token you used is limited: this one needs each of its rate limits, with no higher rate, no larger burst and no lower cost"
    )]
    RateLimits,
    /// It has more uses than the caller's token.
    #[error(
        "the token you used has quotas: this one needs each of them, with no higher limit and no more frequent refill"
    )]
    Quotas,
    /// What was used of it would be forgotten, as the caller's own uses are not.
    #[error("the token you used has the quota `{0}` itself, and so does not refill it for others")]
    Refill(Box<str>),
}

/// What a token is or would be, as far as it must lie within somebody's reach.
#[derive(Debug, Clone, Copy)]
pub struct Extent<'a> {
    /// What it may be used for.
    pub scopes: &'a ScopeSet,
    /// From when until when it works.
    pub validity: &'a Validity,
    /// What kind of traffic it is for.
    pub environment: Environment,
    /// What bounds its use.
    pub restrictions: &'a Restrictions,
}

impl<'a> From<&'a Token> for Extent<'a> {
    fn from(token: &'a Token) -> Self {
        Self {
            scopes: &token.scopes,
            validity: &token.validity,
            environment: token.environment,
            restrictions: &token.restrictions,
        }
    }
}

impl Authority {
    /// Checks that a token of this extent lies within reach.
    ///
    /// # Errors
    /// The first [`Beyond`] that stands against it.
    pub fn reaches(&self, wanted: Extent<'_>) -> Result<(), Beyond> {
        match self {
            Self::Token {
                scopes,
                expires_at,
                environment,
                restrictions,
            } => {
                if wanted.environment != *environment {
                    return Err(Beyond::Environment);
                }
                if let Some(scope) = scopes.first_beyond(wanted.scopes) {
                    return Err(Beyond::Scope(scope));
                }
                match (expires_at, wanted.validity.expires_at) {
                    (Some(own), Some(asked)) if asked > *own => return Err(Beyond::Expiry),
                    (Some(_), None) => return Err(Beyond::Expiry),
                    _ => {}
                }
                let networks = &wanted.restrictions.allowed_cidrs;
                if !networks.within(&restrictions.allowed_cidrs) {
                    return Err(Beyond::Networks);
                }
                let limits = &wanted.restrictions.rate_limits;
                if !limits.within(&restrictions.rate_limits) {
                    return Err(Beyond::RateLimits);
                }
                let quotas = &wanted.restrictions.quotas;
                if !quotas.within(&restrictions.quotas) {
                    return Err(Beyond::Quotas);
                }
                Ok(())
            }
            Self::Account { granted, role } => {
                let within = |scope: &str| {
                    if is_reserved(scope) {
                        *role == Role::User && OF_ACCOUNT_HOLDERS.contains(&scope)
                    } else {
                        granted.as_ref().is_none_or(|granted| granted.covers(scope))
                    }
                };
                match wanted.scopes.first_without(within) {
                    Some(scope) => Err(Beyond::Scope(scope)),
                    None => Ok(()),
                }
            }
        }
    }

    /// Checks that quotas of these names may be made full again out of turn. A token that has a quota
    /// itself could use others' for ever if it could refill them.
    ///
    /// # Errors
    /// [`Beyond::Refill`] with the first that may not.
    pub fn may_refill<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<(), Beyond> {
        let Self::Token { restrictions, .. } = self else {
            return Ok(());
        };
        let mut names = names.into_iter();
        match names.find_map(|name| restrictions.quotas.get(name)) {
            Some(own) => Err(Beyond::Refill(own.name.clone())),
            None => Ok(()),
        }
    }

    /// The latest expiry within reach, where there is one.
    #[must_use]
    pub const fn latest_expiry(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Token { expires_at, .. } => *expires_at,
            Self::Account { .. } => None,
        }
    }

    /// The networks of a token for which none are named: those of the caller's own.
    #[must_use]
    pub fn inherited_networks(&self) -> NetworkSet {
        match self {
            Self::Token { restrictions, .. } => restrictions.allowed_cidrs.clone(),
            Self::Account { .. } => NetworkSet::default(),
        }
    }

    /// The rate limits of a token for which none are named: those of the caller's own.
    #[must_use]
    pub fn inherited_rate_limits(&self) -> RateLimits {
        match self {
            Self::Token { restrictions, .. } => restrictions.rate_limits.clone(),
            Self::Account { .. } => RateLimits::default(),
        }
    }

    /// The quotas of a token for which none are named: those of the caller's own, each with a balance
    /// of the new token's.
    #[must_use]
    pub fn inherited_quotas(&self) -> Quotas {
        match self {
            Self::Token { restrictions, .. } => NewQuotas::from(&restrictions.quotas).into(),
            Self::Account { .. } => Quotas::default(),
        }
    }
}

#[cfg(test)]
mod tests;
