//! The answer to one check.

use std::sync::Arc;
use std::time::Duration;

use tollkeeper_domain::account::Role;
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::quota::QuotaCharges;
use tollkeeper_domain::secret::SecretHash;
use tollkeeper_domain::verdict::Verdict;

use crate::entry::TokenEntry;
use crate::facts::TokenFacts;
use crate::flights::Wanted;
use crate::limits::LimitReading;
use crate::limits::check::LimitCheck;
use crate::quotas::QuotaReading;
use crate::quotas::check::QuotaCheck;

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheUse {
    /// From memory.
    Hit,
    /// The primary was asked, or would have had to be.
    Miss,
}

impl CacheUse {
    /// `hit` or `miss`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
        }
    }
}

/// The answer to one check. Making, moving and reading it allocates nothing.
#[derive(Debug, Clone)]
pub struct Verification {
    /// What it came to.
    pub verdict: Verdict,
    /// Where it came from.
    pub cache: CacheUse,
    /// How long before the answer its grounds were proven; `None` where there are none.
    pub age: Option<Duration>,
    /// When it was judged, in microseconds since the Unix epoch.
    pub at_micros: i64,
    pub(crate) entry: Option<Arc<TokenEntry>>,
    /// Of a token that has limits, once all else let it pass.
    pub(crate) limits: Option<LimitCheck>,
    /// Of a token that has quotas, likewise.
    pub(crate) quotas: Option<QuotaCheck>,
}

impl Verification {
    /// Whether the token may pass.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.verdict == Verdict::Valid
    }

    /// Whose token it is: known whenever the token is, also when it is refused, so that refused
    /// requests of known tokens are counted.
    #[must_use]
    pub fn identity(&self) -> Option<Identity<'_>> {
        self.entry.as_deref().map(|entry| Identity { entry })
    }

    /// The rate limits of the token's account, then those of the token, as they are after the request;
    /// none where something else refused it before they were looked at.
    pub fn rate_limits(&self) -> impl Iterator<Item = LimitReading<'_>> {
        let both = self.limits.as_ref().zip(self.entry.as_deref());
        both.into_iter()
            .flat_map(|(limits, entry)| limits.readings(entry))
    }

    /// The quotas of the token's account, then those of the token, as they are after the request; none
    /// where something else refused it before they were looked at.
    pub fn quotas(&self) -> impl Iterator<Item = QuotaReading<'_>> {
        let both = self.quotas.as_ref().zip(self.entry.as_deref());
        both.into_iter()
            .flat_map(|(quotas, entry)| quotas.readings(entry))
    }

    /// How many units the request took, and of which quotas, for the usage by which it is counted: 1 of
    /// none where it took nothing.
    #[must_use]
    pub fn charges(&self) -> (u32, QuotaCharges) {
        let both = self.quotas.as_ref().zip(self.entry.as_deref());
        both.map_or((1, QuotaCharges::default()), |(quotas, entry)| {
            quotas.charges(entry)
        })
    }
}

/// Whose token was presented.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    entry: &'a TokenEntry,
}

impl<'a> Identity<'a> {
    /// The token.
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        self.entry.facts.token_id
    }

    /// Its account.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        self.entry.facts.account_id
    }

    /// Its account's role.
    #[must_use]
    pub fn account_role(&self) -> Role {
        self.entry.account.role()
    }

    /// The version by which it was judged.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.entry.standing.version()
    }

    /// Scopes, environment and times as last read. What was decided about it since is in the
    /// verdict, not in here.
    #[must_use]
    pub fn facts(&self) -> &'a TokenFacts {
        &self.entry.facts
    }
}

/// A check that memory could not answer; to be finished by
/// [`Engine::resolve`](crate::Engine::resolve).
#[derive(Debug)]
#[must_use = "the check has no answer yet"]
pub struct Miss {
    pub(crate) digest: SecretHash,
    /// What memory holds, in doubt.
    pub(crate) doubtful: Option<Arc<TokenEntry>>,
}

impl Miss {
    /// The read that it takes.
    pub(crate) fn wanted(&self, fresh: bool) -> Wanted {
        Wanted {
            digest: self.digest,
            fresh,
            doubtful: self.doubtful.is_some(),
        }
    }
}
