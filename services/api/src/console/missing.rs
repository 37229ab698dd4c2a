//! Addresses below `/console` that are no pages, and requests that a page does not take. Who is signed in keeps
//! the way to the other pages; others learn nothing but where they sign in.

use axum::Router;
use axum::response::Redirect;
use axum::routing::{any, get};

use super::session::SignedIn;
use super::stop::Stop;
use super::{Console, PREFIX};
use crate::http::problem::Problem;

/// All addresses that no other page has.
pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/", get(async || Redirect::permanent(PREFIX)))
        .route("/console/{*rest}", any(no_page))
}

/// Who asks is looked up for the frame of the answer alone.
async fn no_page(_asker: Result<SignedIn, Stop>) -> Problem {
    Problem::not_found("page")
}

/// The answer of a page that is asked by another method than its own.
pub(super) async fn wrong_method(_asker: Result<SignedIn, Stop>) -> Problem {
    Problem::method_not_allowed()
}
