//! Fields that issue and change share.

use chrono::{DateTime, SubsecRound, Utc};
use tollkeeper_domain::scope::{Scope, ScopeSet};

use crate::http::problem::FieldErrors;

/// Reads scopes and notes each that is not one.
pub(super) fn scopes(texts: &[String], errors: &mut FieldErrors) -> ScopeSet {
    let parsed = texts.iter().enumerate();
    parsed
        .filter_map(|(index, text)| errors.take(format!("/scopes/{index}"), text.parse::<Scope>()))
        .collect()
}

/// Times are kept in microseconds.
pub(super) fn cut(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}
