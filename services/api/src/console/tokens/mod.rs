//! Tokens: to find, to issue, to look at as they are and as they were, to change and to end.

mod bulk;
mod change;
mod choice;
mod detail;
mod edit;
mod event;
mod exposure;
mod fields;
mod filter;
mod history;
mod list;
mod new;
mod order;
mod past;
mod receipt;
mod refill;
mod revoke;
mod rotate;
mod secret;
mod selected;
mod times;
mod token;
mod trial;
mod usage;
mod values;

use axum::Router;
use axum::routing::{get, post};

use super::Console;
use super::refused::Refused;

/// The pages about tokens.
pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/tokens", get(list::show))
        .route("/console/tokens/new", get(new::ask).post(new::issue))
        .route("/console/tokens/bulk", get(bulk::ask).post(bulk::plan))
        .route("/console/tokens/bulk/{id}", get(bulk::show).post(bulk::run))
        .route("/console/tokens/selected", post(selected::ask))
        .route("/console/tokens/selected/revoke", post(selected::revoke))
        .route("/console/tokens/{id}", get(detail::show))
        .route("/console/tokens/{id}/history", get(history::show))
        .route(
            "/console/tokens/{id}/edit",
            get(edit::ask).post(edit::change),
        )
        .route(
            "/console/tokens/{id}/rotate",
            get(rotate::ask).post(rotate::rotate),
        )
        .route("/console/tokens/{id}/suspend", post(change::suspend))
        .route("/console/tokens/{id}/resume", post(change::resume))
        .route(
            "/console/tokens/{id}/revoke",
            get(revoke::ask).post(revoke::revoke),
        )
        .route(
            "/console/tokens/{id}/quotas/{name}/refill",
            post(refill::refill),
        )
        .route("/console/tokens/{id}/receipt", get(receipt::show))
        .route("/console/tokens/{id}/exposure", get(exposure::show))
        .route("/console/tokens/{id}/try", get(trial::ask).post(trial::run))
}

/// Whether a refusal is shown above the form that was sent: what it says of the input, and that the
/// caller may not give what it asks for.
fn is_shown_above(refused: &Refused) -> bool {
    refused.is_about_input() || refused.code == "BEYOND_AUTHORITY"
}
