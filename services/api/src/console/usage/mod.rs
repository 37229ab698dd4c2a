//! What tokens were used for: over time, by what, and request by request.

mod breakdown;
mod card;
mod export;
mod overview;
mod page;
mod requests;
mod scope;
mod verdicts;
mod window;

use axum::Router;
use axum::routing::get;

use super::Console;

pub(super) use breakdown::percent;
pub(super) use card::{Card, read};
pub(super) use overview::{Stat, change};
pub(super) use window::{Window, machine};

/// The pages about usage.
pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/usage", get(page::show))
        .route("/console/usage/export", get(export::usage))
        .route("/console/usage/requests", get(requests::show))
        .route("/console/usage/requests/export", get(requests::export))
}
