//! Usage that could not be counted, one file per operation. What a letter holds is shown to nobody here: it
//! may be anything.

pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod replay;
mod view;

use serde::{Deserialize, Serialize};
use tollkeeper_read_model::Reach;
use utoipa::ToSchema;

use crate::http::problem::Problem;

/// Why something could not be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DeadLetterReason)]
pub(crate) enum Reason {
    /// The message or the record does not parse.
    Undecodable,
    /// A constraint of the database said no.
    Refused,
    /// Its numbers straddle others that are settled.
    Overlap,
}

impl Reason {
    const fn name(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Refused => "refused",
            Self::Overlap => "overlap",
        }
    }
}

/// Letters belong to no account.
///
/// # Errors
/// 403 for those who do not act across accounts.
fn must_reach_all(reach: Reach) -> Result<(), Problem> {
    if reach == Reach::All {
        return Ok(());
    }
    let detail = "only operators and tokens of system accounts see dead letters";
    Err(Problem::forbidden("BEYOND_AUTHORITY", detail))
}
