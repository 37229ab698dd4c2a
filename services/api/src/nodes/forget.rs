//! `DELETE /v1/nodes/{id}`

use axum::extract::State;
use axum::http::StatusCode;
use tollkeeper_authn::postgres;
use tollkeeper_read_model::nodes;

use super::remote::{self, Remote};
use crate::app::App;
use crate::caller::{Allowed, Caller, Verify};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::openapi::errors::{Guarded, NotFound};

/// Forgets a node that has ended: 204, 403 for those who do not act across accounts, 404. Operators
/// forget any, for one that died without saying so and was told to go on without the database would
/// be waited for for ever; others forget what they have registered themselves.
#[utoipa::path(
    delete,
    path = "/v1/nodes/{id}",
    tag = "Verification",
    operation_id = "forgetNode",
    summary = "Forget a node that is gone",
    description = "Nobody waits for it then. Operators may forget any node, as they know that it does \
        not run any more; whoever has registered a node may forget it. A node that does run is back \
        within a second.",
    params(("id" = Uuid, Path, description = "The node")),
    responses(
        (status = 204, description = "It is forgotten"),
        Guarded<Verify>,
        NotFound,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<Verify>,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let Remote(registrar) = Remote::of(&allowed)?;
    let known = if matches!(allowed.caller, Caller::Operator { .. }) {
        nodes::forget(&app.pool, id).await?
    } else {
        let left = remote::ask(&app, move |connection| {
            Box::pin(async move { postgres::leave(connection, id, Some(&registrar)).await })
        });
        left.await?
    };
    if known {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("node"))
    }
}
