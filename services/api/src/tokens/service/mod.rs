//! `/api/tokens`: services issue tokens for the users they know, by their own names for them and
//! with fields in camelCase. The same tokens, rules and events as under `/v1/tokens`.

pub(crate) mod issue;
pub(crate) mod list;
mod rate_limit;
mod view;

use tollkeeper_read_model::Reach;

use crate::caller::Allowed;
use crate::http::problem::Problem;

/// How the fields that have another name here are called.
const RENAMED: [(&str, &str); 1] = [("/external_id", "/userId")];

/// An error as the clients of this surface read it.
fn own_names(error: impl Into<Problem>) -> Problem {
    error.into().in_camel_case(&RENAMED)
}

/// Only those who act across accounts may name a user.
fn across_accounts<P>(allowed: &Allowed<P>) -> Result<(), Problem> {
    if allowed.reach == Reach::All {
        Ok(())
    } else {
        let detail = "only operators and tokens of system accounts act for users; \
                      account holders use `/settings/api-tokens`";
        Err(Problem::forbidden("BEYOND_AUTHORITY", detail))
    }
}
