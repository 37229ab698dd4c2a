//! Which tokens a revocation of many is for: the filters of the list, in a body.

use serde::{Deserialize, Serialize};
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::Status;
use tollkeeper_read_model::tokens::TokenFilter;
use utoipa::ToSchema;
use uuid::Uuid;

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
        let texts = [
            ("scope", &self.scope),
            ("prefix", &self.prefix),
            ("search", &self.search),
        ];
        for (name, text) in texts {
            // PostgreSQL takes none in a text, so nothing has it.
            if text.as_ref().is_some_and(|text| text.contains('\0')) {
                errors.add(format!("/filter/{name}"), "this holds U+0000");
            }
        }
    }
}

impl From<Filter> for TokenFilter {
    fn from(filter: Filter) -> Self {
        Self {
            state: filter.state,
            environment: filter.environment,
            scope: filter.scope,
            prefix: filter.prefix,
            search: filter.search,
            ..Self::default()
        }
    }
}
