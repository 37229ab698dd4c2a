//! Rate limits as they are asked for of tokens and accounts.

use tollkeeper_domain::rate_limit::{BadRateLimits, RateLimit, RateLimits};

use crate::http::problem::FieldErrors;

/// Checks what stands in `rate_limits` and notes everything that is wrong with it.
pub(crate) fn check(asked: Vec<RateLimit>, errors: &mut FieldErrors) -> Option<RateLimits> {
    match RateLimits::try_from(asked) {
        Ok(limits) => Some(limits),
        Err(BadRateLimits(faults)) => {
            for (place, why) in faults {
                errors.add(format!("/rate_limits{place}"), why);
            }
            None
        }
    }
}
