//! `POST /v1/nodes/lookup`

use axum::Json;
use axum::extract::State;
use tollkeeper_authn::postgres;
use tollkeeper_authn::wire::{Digests, FoundTokens, MOST_DIGESTS};

use super::remote::{self, Remote};
use crate::app::App;
use crate::caller::{Allowed, Verify};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::openapi::errors::WithBody;

/// Reads tokens by their digests, and the log's head in the same snapshot of the primary: 200, 403 for
/// those who do not act across accounts.
#[utoipa::path(
    post,
    path = "/v1/nodes/lookup",
    tag = "Nodes",
    operation_id = "lookUpTokens",
    summary = "Look up tokens for a node",
    description = "For nodes without a database: the tokens that belong to these SHA-256 digests, all \
        that is needed to judge them, and the log's head in the same snapshot. Counts nothing.",
    request_body = Digests,
    responses(
        (status = 200, description = "The known ones", body = FoundTokens),
        WithBody<Verify>,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<Verify>,
    Body(asked): Body<Digests>,
) -> Result<Json<FoundTokens>, Problem> {
    Remote::of(&allowed)?;
    let digests = asked.digests;
    if digests.len() > MOST_DIGESTS {
        let detail = format!("at most {MOST_DIGESTS} at a time");
        return Err(Problem::bad_field("/digests", detail));
    }
    let found = remote::ask(&app, move |connection| {
        Box::pin(async move {
            let lookup = postgres::tokens(connection, &digests).await?;
            Ok(FoundTokens::of(lookup, &digests))
        })
    });
    Ok(Json(found.await?))
}
