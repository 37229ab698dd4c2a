//! Which tokens a revocation of many is for: the filters of the list, in a body.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::Status;
use tollkeeper_read_model::tokens::{Period, TokenFilter};
use utoipa::ToSchema;
use uuid::Uuid;

use super::filter;
use crate::http::problem::FieldErrors;

/// The filters of `GET /v1/tokens`, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = BulkFilter)]
pub(super) struct Filter {
    /// Every token within reach, where nothing else is given.
    pub(super) all: bool,
    /// Those of this account.
    pub(super) account_id: Option<Uuid>,
    /// Those in this state.
    pub(super) state: Option<Status>,
    /// Those for this environment.
    pub(super) environment: Option<Environment>,
    /// Those that hold exactly this scope.
    #[schema(pattern = r"^[^\x00]*$")]
    pub(super) scope: Option<String>,
    /// Those whose `token_prefix` begins so.
    #[schema(pattern = r"^[^\x00]*$")]
    pub(super) prefix: Option<String>,
    /// Those whose name holds this, whatever the case.
    #[schema(pattern = r"^[^\x00]*$")]
    pub(super) search: Option<String>,
    /// Those that were issued with this token.
    pub(super) issued_by: Option<Uuid>,
    /// Those created then or later.
    pub(super) created_after: Option<DateTime<Utc>>,
    /// Those created before.
    pub(super) created_before: Option<DateTime<Utc>>,
    /// Those last let through then or later.
    pub(super) last_used_after: Option<DateTime<Utc>>,
    /// Those last let through before; none that never was.
    pub(super) last_used_before: Option<DateTime<Utc>>,
    /// Those that expire then or later; none that never does.
    pub(super) expires_after: Option<DateTime<Utc>>,
    /// Those that expire before; none that never does.
    pub(super) expires_before: Option<DateTime<Utc>>,
    /// With true, those never let through; with false, those that were.
    pub(super) never_used: Option<bool>,
    /// Those that were neither let through nor issued then or later.
    pub(super) unused_since: Option<DateTime<Utc>>,
}

impl Filter {
    /// Notes what cannot be asked. Nobody revokes everything by forgetting a field.
    pub(super) fn check(&self, errors: &mut FieldErrors) {
        let narrowed = Self {
            all: false,
            ..self.clone()
        } != Self::default();
        match (self.all, narrowed) {
            (false, false) => errors.add(
                "/filter",
                "name at least one filter, or say `\"all\": true` for every token within reach",
            ),
            (true, true) => errors.add("/filter/all", "give this or filters, not both"),
            _ => {}
        }
        for bad in filter::check(&self.clone().into()) {
            errors.add(format!("/filter/{}", bad.name), format!("this {}", bad.why));
        }
    }
}

impl From<Filter> for TokenFilter {
    fn from(filter: Filter) -> Self {
        Self {
            account: filter.account_id.map(AccountId),
            state: filter.state,
            environment: filter.environment,
            scope: filter.scope,
            prefix: filter.prefix,
            search: filter.search,
            issued_by: filter.issued_by.map(Into::into),
            created: Period {
                after: filter.created_after,
                before: filter.created_before,
            },
            last_used: Period {
                after: filter.last_used_after,
                before: filter.last_used_before,
            },
            expires: Period {
                after: filter.expires_after,
                before: filter.expires_before,
            },
            never_used: filter.never_used,
            unused_since: filter.unused_since,
        }
    }
}
