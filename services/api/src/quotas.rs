//! Quotas as they are asked for of tokens and accounts.

use tollkeeper_domain::quota::{BadQuotas, NewQuota, NewQuotas};

use crate::http::problem::FieldErrors;

/// Checks what stands in `quotas` and notes everything that is wrong with it.
pub(crate) fn check(asked: Vec<NewQuota>, errors: &mut FieldErrors) -> Option<NewQuotas> {
    match NewQuotas::try_from(asked) {
        Ok(quotas) => Some(quotas),
        Err(BadQuotas(faults)) => {
            for (place, why) in faults {
                errors.add(format!("/quotas{place}"), why);
            }
            None
        }
    }
}
