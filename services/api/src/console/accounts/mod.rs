//! Owners of tokens, for operators.

mod account;
mod edit;
mod ending;
mod fields;
mod list;
mod new;
mod refill;
mod show;

use axum::Router;
use axum::routing::{get, post};

use super::Console;

/// The pages.
pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/accounts", get(list::show))
        .route("/console/accounts/new", get(new::show).post(new::register))
        .route("/console/accounts/{id}", get(show::show))
        .route(
            "/console/accounts/{id}/edit",
            get(edit::show).post(edit::change),
        )
        .route(
            "/console/accounts/{id}/{change}",
            get(ending::ask).post(ending::carry_out),
        )
        .route(
            "/console/accounts/{id}/quotas/{name}/refill",
            post(refill::carry_out),
        )
}
