//! `/console/people`: who may sign in. For operators.

mod add;
mod change;
mod given;
mod list;

use axum::Router;
use axum::routing::{get, post};

use super::Console;

/// The pages about people.
pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/people", get(list::show).post(add::add))
        .route("/console/people/new", get(add::show))
        .route("/console/people/{id}/disable", post(change::disable))
        .route("/console/people/{id}/enable", post(change::enable))
        .route("/console/people/{id}/link", post(change::link))
}
