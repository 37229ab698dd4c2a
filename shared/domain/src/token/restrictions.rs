//! What bounds the use of a token beside its scopes and its time.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::network::NetworkSet;
use crate::quota::Quotas;
use crate::rate_limit::RateLimits;

/// All restrictions of a token. The default is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restrictions {
    /// Where it may be used from.
    pub allowed_cidrs: NetworkSet,
    /// How much it may do in how much time.
    pub rate_limits: RateLimits,
    /// How many uses it has.
    pub quotas: Quotas,
}

impl Restrictions {
    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.allowed_cidrs.is_any() && self.rate_limits.is_empty() && self.quotas.is_empty()
    }

    /// Whether a client at this address may use it. Where a rule is set, an address that nobody knows
    /// is not an allowed one.
    #[must_use]
    pub fn admit(&self, client: Option<IpAddr>) -> bool {
        match client {
            Some(address) => self.allowed_cidrs.contains(address),
            None => self.allowed_cidrs.is_any(),
        }
    }

    /// What they take in memory beside themselves, in bytes.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.allowed_cidrs.heap_bytes() + self.rate_limits.heap_bytes() + self.quotas.heap_bytes()
    }
}
