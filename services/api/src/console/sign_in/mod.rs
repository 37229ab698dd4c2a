//! The ways into the console, and out of it.

mod attempt;
mod link;
pub(crate) mod oidc;
mod out;
mod page;
pub(super) mod throttle;
pub(super) mod way;

use axum::Router;
use axum::routing::{get, post};

use super::Console;

/// The pages for whoever is not signed in, and the way out.
pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/sign-in", get(page::show).post(page::sign_in))
        .route("/console/sign-in/oidc", get(oidc::begin))
        .route("/console/sign-in/oidc/callback", get(oidc::end))
        .route("/console/sign-out", post(out::sign_out))
        .route(
            "/console/password/{secret}",
            get(link::show).post(link::set),
        )
}
