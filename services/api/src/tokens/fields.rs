//! What the operations on tokens share.

use chrono::{DateTime, SubsecRound, Utc};
use tollkeeper_domain::authority::{Authority, Beyond};
use tollkeeper_domain::scope::{Scope, ScopeSet};
use tollkeeper_domain::token::Token;

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

/// Checks that the token as it is lies within the caller's reach.
pub(super) fn within(authority: Option<&Authority>, token: &Token) -> Result<(), Beyond> {
    authority.map_or(Ok(()), |authority| {
        authority.reaches(&token.scopes, &token.validity, token.environment)
    })
}
