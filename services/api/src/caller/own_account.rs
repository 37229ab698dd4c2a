//! Routes on which everybody acts for their own account and for nobody else, whatever more their
//! credential may do elsewhere.

use axum::http::request::Parts;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_read_model::Reach;
use uuid::Uuid;

use super::Caller;
use crate::http::problem::Problem;

/// Marks such routes, as an extension of their requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnAccount;

/// Whose data the caller may see on this route.
///
/// # Errors
/// 403 for operators where only one's own account counts: they have none.
pub(super) fn reach(parts: &Parts, caller: &Caller) -> Result<Reach, Problem> {
    if parts.extensions.get::<OwnAccount>().is_none() {
        return Ok(caller.reach());
    }
    match caller {
        Caller::Operator { .. } => {
            let detail = "an operator has no account of their own: use `/v1/tokens`";
            Err(Problem::forbidden("NO_ACCOUNT", detail))
        }
        Caller::Token { .. } | Caller::Account { .. } => {
            // Nobody owns the nil id: an account that is not registered yet sees nothing.
            let own = caller.account_id().unwrap_or(AccountId(Uuid::nil()));
            Ok(Reach::Account(own))
        }
    }
}
