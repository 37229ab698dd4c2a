//! `DELETE /v1/nodes/{id}`

use axum::extract::State;
use axum::http::StatusCode;
use tollkeeper_authn::postgres;
use tollkeeper_read_model::audit::{self, Act, Entry};
use tollkeeper_read_model::nodes;
use uuid::Uuid;

use super::remote::{self, Remote};
use crate::app::App;
use crate::caller::{Allowed, Caller, Verify};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
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
    RequestId(request_id): RequestId,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let Remote(registrar) = Remote::of(&allowed)?;
    let known = if matches!(allowed.caller, Caller::Operator { .. }) {
        forget(&app, &registrar, &request_id, id).await?
    } else {
        // As it does for itself when it ends, which is nothing that anybody manages.
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

/// Forgets any node, and has the audit log say so. Tells whether it was known.
async fn forget(app: &App, actor: &str, request_id: &str, id: Uuid) -> Result<bool, sqlx::Error> {
    let mut transaction = app.pool.begin().await?;
    let known = nodes::forget(&mut *transaction, id).await?;
    if known {
        let entry = Entry {
            subject_id: Some(id),
            ..Entry::by(actor, request_id, Act::NodeForgotten)
        };
        audit::note(&mut *transaction, &entry).await?;
        transaction.commit().await?;
    }
    Ok(known)
}
