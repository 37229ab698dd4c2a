//! How the installation does, for operators.

mod audit;
mod audit_export;
mod completeness;
mod letter;
mod letters;
mod nodes;
mod overview;
mod replay;

use axum::Router;
use axum::routing::get;

use super::Console;

/// The pages.
pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/operation", get(overview::show))
        .route("/console/operation/audit", get(audit::show))
        .route("/console/operation/audit/export", get(audit_export::export))
        .route("/console/operation/dead-letters", get(letters::show))
        .route(
            "/console/operation/dead-letters/replay",
            get(replay::ask).post(replay::carry_out),
        )
        .route("/console/operation/dead-letters/{id}", get(letter::show))
}
