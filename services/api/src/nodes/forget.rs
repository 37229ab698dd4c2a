//! `DELETE /v1/nodes/{id}`

use axum::extract::State;
use axum::http::StatusCode;
use tollkeeper_read_model::nodes;

use crate::app::App;
use crate::caller::{AccountsWrite, Allowed, Caller};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::openapi::errors::{Guarded, NotFound};

/// Forgets a node that died without saying so, where it was told to go on without the database and
/// so would be waited for for ever: 204, 403 for all but operators, 404.
#[utoipa::path(
    delete,
    path = "/v1/nodes/{id}",
    tag = "Verification",
    operation_id = "forgetNode",
    summary = "Forget a node that is gone",
    description = "For operators, who know that it does not run any more: nobody waits for it then. \
        A node that does run is back within a second.",
    params(("id" = Uuid, Path, description = "The node")),
    responses(
        (status = 204, description = "It is forgotten"),
        Guarded<AccountsWrite>,
        NotFound,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<AccountsWrite>,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    if !matches!(allowed.caller, Caller::Operator { .. }) {
        let detail = "only operators know whether a node is gone";
        return Err(Problem::forbidden("BEYOND_AUTHORITY", detail));
    }
    if nodes::forget(&app.pool, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("node"))
    }
}
