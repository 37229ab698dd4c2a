//! What the caller may hand on: nobody can give, renew or widen a token beyond their own reach.

use chrono::{DateTime, Utc};

use crate::account::Role;
use crate::network::NetworkSet;
use crate::rate_limit::RateLimits;
use crate::scope::{Scope, ScopeSet};
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
                    return Err(Beyond::Scope(scope.clone()));
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
                Ok(())
            }
            Self::Account { granted, role } => {
                let within = |scope: &&Scope| {
                    if scope.is_reserved() {
                        *role == Role::User && OF_ACCOUNT_HOLDERS.contains(&scope.as_str())
                    } else {
                        granted
                            .as_ref()
                            .is_none_or(|granted| granted.covers(scope.as_str()))
                    }
                };
                match wanted.scopes.iter().find(|scope| !within(scope)) {
                    Some(scope) => Err(Beyond::Scope(scope.clone())),
                    None => Ok(()),
                }
            }
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
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn scopes(list: &[&str]) -> ScopeSet {
        list.iter().map(|scope| scope.parse().unwrap()).collect()
    }

    fn until(seconds: Option<i64>) -> Validity {
        let expires_at = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        Validity {
            not_before: None,
            expires_at,
        }
    }

    fn beyond(scope: &str) -> Result<(), Beyond> {
        Err(Beyond::Scope(scope.parse().unwrap()))
    }

    #[test]
    fn a_token_hands_on_nothing_beyond_its_own() {
        let caller = Authority::Token {
            scopes: scopes(&["orders:*", "tollkeeper:tokens.write"]),
            expires_at: DateTime::from_timestamp(100, 0),
            environment: Environment::Live,
            restrictions: Restrictions::default(),
        };
        let reach = |list: &[&str], end, environment| {
            caller.reaches(Extent {
                scopes: &scopes(list),
                validity: &until(end),
                environment,
                restrictions: &Restrictions::default(),
            })
        };
        assert_eq!(
            reach(&["orders:read"], Some(100), Environment::Live),
            Ok(())
        );
        assert_eq!(reach(&[], Some(1), Environment::Live), Ok(()));
        assert_eq!(
            reach(&["users:read"], Some(1), Environment::Live),
            beyond("users:read")
        );
        assert_eq!(
            reach(&[], Some(101), Environment::Live),
            Err(Beyond::Expiry)
        );
        assert_eq!(reach(&[], None, Environment::Live), Err(Beyond::Expiry));
        assert_eq!(
            reach(&[], Some(1), Environment::Test),
            Err(Beyond::Environment)
        );
    }

    #[test]
    fn a_token_bound_to_networks_hands_on_no_others() {
        let bound = |texts: &[&str]| {
            let networks: Vec<_> = texts.iter().map(|text| text.parse().unwrap()).collect();
            Restrictions {
                allowed_cidrs: networks.try_into().unwrap(),
                ..Restrictions::default()
            }
        };
        let reach = |own: &[&str], wanted: &[&str]| {
            let caller = Authority::Token {
                scopes: ScopeSet::default(),
                expires_at: None,
                environment: Environment::Live,
                restrictions: bound(own),
            };
            assert_eq!(caller.inherited_networks(), bound(own).allowed_cidrs);
            caller.reaches(Extent {
                scopes: &ScopeSet::default(),
                validity: &Validity::default(),
                environment: Environment::Live,
                restrictions: &bound(wanted),
            })
        };
        assert_eq!(reach(&[], &[]), Ok(()));
        assert_eq!(reach(&[], &["10.0.0.0/8"]), Ok(()));
        assert_eq!(reach(&["10.0.0.0/8"], &["10.1.0.0/16", "10.2.3.4"]), Ok(()));
        assert_eq!(reach(&["10.0.0.0/8"], &[]), Err(Beyond::Networks));
        assert_eq!(
            reach(&["10.0.0.0/8"], &["10.1.0.0/16", "::1"]),
            Err(Beyond::Networks)
        );
    }

    #[test]
    fn a_limited_token_hands_on_no_more_than_it_may_do() {
        let limited = |limits: Value| Restrictions {
            rate_limits: serde_json::from_value(limits).unwrap(),
            ..Restrictions::default()
        };
        let reach = |own: Value, wanted: Value| {
            let caller = Authority::Token {
                scopes: ScopeSet::default(),
                expires_at: None,
                environment: Environment::Live,
                restrictions: limited(own.clone()),
            };
            assert_eq!(caller.inherited_rate_limits(), limited(own).rate_limits);
            caller.reaches(Extent {
                scopes: &ScopeSet::default(),
                validity: &Validity::default(),
                environment: Environment::Live,
                restrictions: &limited(wanted),
            })
        };
        let ten = json!([{"name": "a", "limit": 10, "window_seconds": 1}]);
        let both = json!([ten[0], {"name": "b", "limit": 1, "window_seconds": 60}]);
        let more = json!([{"name": "a", "limit": 11, "window_seconds": 1, "burst": 10}]);
        assert_eq!(reach(json!([]), json!([])), Ok(()));
        assert_eq!(reach(json!([]), ten.clone()), Ok(()));
        assert_eq!(reach(ten.clone(), ten.clone()), Ok(()));
        assert_eq!(reach(ten.clone(), both.clone()), Ok(()));
        assert_eq!(reach(both, ten.clone()), Err(Beyond::RateLimits));
        assert_eq!(reach(ten.clone(), json!([])), Err(Beyond::RateLimits));
        assert_eq!(reach(ten, more), Err(Beyond::RateLimits));
    }

    #[test]
    fn an_account_holder_hands_on_what_holders_have_and_the_issuer_grants() {
        let reach = |granted: Option<&[&str]>, role, list: &[&str]| {
            let caller = Authority::Account {
                granted: granted.map(scopes),
                role,
            };
            caller.reaches(Extent {
                scopes: &scopes(list),
                validity: &until(None),
                environment: Environment::Test,
                restrictions: &Restrictions::default(),
            })
        };
        assert_eq!(
            reach(None, Role::User, &["orders:*", "tollkeeper:tokens.write"]),
            Ok(())
        );
        assert_eq!(
            reach(Some(&["orders:*"]), Role::User, &["orders:read"]),
            Ok(())
        );
        assert_eq!(
            reach(Some(&["orders:*"]), Role::User, &["admin"]),
            beyond("admin")
        );
        for scope in [
            "tollkeeper:verify",
            "tollkeeper:accounts.write",
            "tollkeeper:usage.write",
        ] {
            assert_eq!(reach(None, Role::User, &[scope]), beyond(scope));
            assert_eq!(reach(Some(&[scope]), Role::User, &[scope]), beyond(scope));
        }
        let own = "tollkeeper:tokens.read";
        assert_eq!(reach(None, Role::System, &[own]), beyond(own));
    }
}
