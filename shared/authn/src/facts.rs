//! What a read of the primary tells about a token and its account.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tollkeeper_domain::account::{self, Role};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::quota::Quotas;
use tollkeeper_domain::rate_limit::RateLimits;
use tollkeeper_domain::scope::ScopeSet;
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::{Lifecycle, Restrictions};

/// A token as seen through one of its secrets. Times are microseconds since the Unix epoch.
///
/// A node that asks the API reads it strictly: a bound that it does not know must not make the token
/// free, so it is as if it could not be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenFacts {
    /// Its name.
    pub token_id: TokenId,
    /// Its owner.
    pub account_id: AccountId,
    /// How many events it has had.
    pub version: u64,
    /// What kind of traffic it is for.
    pub environment: Environment,
    /// What it may be used for.
    pub scopes: ScopeSet,
    /// First moment at which it works.
    pub not_before: Option<i64>,
    /// First moment at which it works no more.
    pub expires_at: Option<i64>,
    /// First moment at which this secret works no more: the end of its grace after a rotation.
    pub secret_valid_until: Option<i64>,
    /// What was decided about it.
    pub lifecycle: Lifecycle,
    /// What bounds its use further; none for the many tokens that nothing bounds, which so pay for
    /// a pointer and no more.
    pub restrictions: Option<Box<Restrictions>>,
}

/// The owner of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountFacts {
    /// Its name.
    pub account_id: AccountId,
    /// How many events it has had.
    pub version: u64,
    /// What was decided about it.
    pub lifecycle: account::Lifecycle,
    /// Whether its tokens act for itself only or across accounts.
    pub role: Role,
    /// How much all its tokens together may do in how much time; none for the many accounts that
    /// nothing limits.
    pub rate_limits: Option<Arc<RateLimits>>,
    /// How many uses all its tokens together have; none for the many accounts without quotas.
    pub quotas: Option<Arc<Quotas>>,
}
