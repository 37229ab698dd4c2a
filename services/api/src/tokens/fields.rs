//! What the operations on tokens share.

use chrono::{DateTime, SubsecRound, Utc};
use tollkeeper_domain::authority::{Authority, Beyond};
use tollkeeper_domain::network::{MAX_NETWORKS, Network, NetworkSet, TooManyNetworks};
use tollkeeper_domain::quota::{NewQuota, Quotas};
use tollkeeper_domain::rate_limit::{RateLimit, RateLimits};
use tollkeeper_domain::scope::{MAX_SCOPES, Scope, ScopeSet};
use tollkeeper_domain::token::{Refusal, Restrictions, Token};

use crate::http::problem::FieldErrors;
use crate::{quotas, rate_limits};

/// Reads scopes and notes each that is not one, or that they are too many: as many as a body has room
/// for would make as many errors, and repeats count, as the API's description says.
pub(super) fn scopes(texts: &[String], errors: &mut FieldErrors) -> ScopeSet {
    if texts.len() > MAX_SCOPES {
        errors.add("/scopes", Refusal::TooManyScopes);
        return ScopeSet::default();
    }
    let parsed = texts.iter().enumerate();
    parsed
        .filter_map(|(index, text)| errors.take(format!("/scopes/{index}"), text.parse::<Scope>()))
        .collect()
}

/// Reads networks and notes each that is not one, or that they are too many.
pub(crate) fn networks(texts: &[String], errors: &mut FieldErrors) -> Option<NetworkSet> {
    if texts.len() > MAX_NETWORKS {
        errors.add("/allowed_cidrs", TooManyNetworks);
        return None;
    }
    let parsed = texts.iter().enumerate().map(|(index, text)| {
        let pointer = format!("/allowed_cidrs/{index}");
        errors.take(pointer, text.parse::<Network>())
    });
    // To the end, so that each that is not one is noted.
    let parsed: Vec<Option<Network>> = parsed.collect();
    let parsed: Vec<Network> = parsed.into_iter().collect::<Option<_>>()?;
    errors.take("/allowed_cidrs", NetworkSet::try_from(parsed))
}

/// What is asked for to bound the use of a new token.
pub(super) struct Asked {
    pub(super) allowed_cidrs: Option<Vec<String>>,
    pub(super) rate_limits: Option<Vec<RateLimit>>,
    pub(super) quotas: Option<Vec<NewQuota>>,
}

impl Asked {
    /// The restrictions of the new token: what is asked for, or else those of the caller's own.
    pub(super) fn restrictions(
        self,
        authority: Option<&Authority>,
        errors: &mut FieldErrors,
    ) -> Option<Restrictions> {
        let allowed_cidrs = match self.allowed_cidrs {
            Some(texts) => networks(&texts, errors),
            None => Some(authority.map_or_else(NetworkSet::default, Authority::inherited_networks)),
        };
        let rate_limits = match self.rate_limits {
            Some(asked) => rate_limits::check(asked, errors),
            None => {
                Some(authority.map_or_else(RateLimits::default, Authority::inherited_rate_limits))
            }
        };
        let quotas = match self.quotas {
            Some(asked) => quotas::check(asked, errors).map(Quotas::from),
            None => Some(authority.map_or_else(Quotas::default, Authority::inherited_quotas)),
        };
        Some(Restrictions {
            allowed_cidrs: allowed_cidrs?,
            rate_limits: rate_limits?,
            quotas: quotas?,
        })
    }
}

/// Times are kept in microseconds.
pub(super) fn cut(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}

/// Checks that the token as it is lies within the caller's reach.
pub(super) fn within(authority: Option<&Authority>, token: &Token) -> Result<(), Beyond> {
    authority.map_or(Ok(()), |authority| authority.reaches(token.into()))
}
