//! What the caller may hand on: nobody can give, renew or widen a token beyond their own reach.

use chrono::{DateTime, Utc};

use crate::scope::{Scope, ScopeSet};
use crate::secret::Environment;
use crate::token::Validity;

/// The reach of a token that manages others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// What it may be used for.
    pub scopes: ScopeSet,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// What kind of traffic it is for.
    pub environment: Environment,
}

/// In what a target lies beyond the caller's reach. The text is fit for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Beyond {
    /// It allows what the caller's token does not.
    #[error("the token you used does not hold the scope `{0}`")]
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
        scopes: &ScopeSet,
        validity: &Validity,
        environment: Environment,
    ) -> Result<(), Beyond> {
        if environment != self.environment {
            return Err(Beyond::Environment);
        }
        if let Some(scope) = self.scopes.first_beyond(scopes) {
            return Err(Beyond::Scope(scope.clone()));
        }
        match (self.expires_at, validity.expires_at) {
            (Some(own), Some(asked)) if asked > own => Err(Beyond::Expiry),
            (Some(_), None) => Err(Beyond::Expiry),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(list: &[&str]) -> ScopeSet {
        list.iter().map(|scope| scope.parse().unwrap()).collect()
    }

    #[test]
    fn nothing_beyond_the_callers_own() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0);
        let until = |expires_at| Validity {
            not_before: None,
            expires_at,
        };
        let caller = Authority {
            scopes: scopes(&["orders:*", "tollkeeper:tokens.write"]),
            expires_at: at(100),
            environment: Environment::Live,
        };
        let reach = |list: &[&str], end, environment| {
            caller.reaches(&scopes(list), &until(end), environment)
        };
        assert_eq!(reach(&["orders:read"], at(100), Environment::Live), Ok(()));
        assert_eq!(reach(&[], at(1), Environment::Live), Ok(()));
        assert_eq!(
            reach(&["users:read"], at(1), Environment::Live),
            Err(Beyond::Scope("users:read".parse().unwrap()))
        );
        assert_eq!(reach(&[], at(101), Environment::Live), Err(Beyond::Expiry));
        assert_eq!(reach(&[], None, Environment::Live), Err(Beyond::Expiry));
        assert_eq!(
            reach(&[], at(1), Environment::Test),
            Err(Beyond::Environment)
        );
    }
}
