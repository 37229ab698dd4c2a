//! What the caller may hand on: nobody can give, renew or widen a token beyond their own reach.

use chrono::{DateTime, Utc};

use crate::account::Role;
use crate::scope::{Scope, ScopeSet};
use crate::secret::Environment;
use crate::token::Validity;

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
}

impl Authority {
    /// Checks that a token of these properties lies within reach.
    ///
    /// # Errors
    /// The first [`Beyond`] that stands against it.
    pub fn reaches(
        &self,
        wanted: &ScopeSet,
        validity: &Validity,
        wanted_for: Environment,
    ) -> Result<(), Beyond> {
        match self {
            Self::Token {
                scopes,
                expires_at,
                environment,
            } => {
                if wanted_for != *environment {
                    return Err(Beyond::Environment);
                }
                if let Some(scope) = scopes.first_beyond(wanted) {
                    return Err(Beyond::Scope(scope.clone()));
                }
                match (expires_at, validity.expires_at) {
                    (Some(own), Some(asked)) if asked > *own => Err(Beyond::Expiry),
                    (Some(_), None) => Err(Beyond::Expiry),
                    _ => Ok(()),
                }
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
                match wanted.iter().find(|scope| !within(scope)) {
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
}

#[cfg(test)]
mod tests {
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
        };
        let reach = |list: &[&str], end, environment| {
            caller.reaches(&scopes(list), &until(end), environment)
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
    fn an_account_holder_hands_on_what_holders_have_and_the_issuer_grants() {
        let reach = |granted: Option<&[&str]>, role, list: &[&str]| {
            let caller = Authority::Account {
                granted: granted.map(scopes),
                role,
            };
            caller.reaches(&scopes(list), &until(None), Environment::Test)
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
