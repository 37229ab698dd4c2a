//! Addresses below `/console` that are no pages, and requests that a page does not take.

use axum::Router;
use axum::response::Redirect;
use axum::routing::{any, get};

use super::{Console, PREFIX};
use crate::http::problem::Problem;

/// All addresses that no other page has.
pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/", get(async || Redirect::permanent(PREFIX)))
        .route("/console/{*rest}", any(no_page))
}

async fn no_page() -> Problem {
    Problem::not_found("page")
}

/// The answer of a page that is asked by another method than its own.
pub(super) async fn wrong_method() -> Problem {
    Problem::method_not_allowed()
}
