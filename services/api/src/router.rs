//! All routes on one page, grouped by who calls them. Those of reverse proxies, under
//! `/v1/forward-auth`, are taken out before: see [`crate::front`].

use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::caller::OwnAccount;
use crate::http::body::{MAX_BODY_BYTES, MaxBody};
use crate::http::problem::Problem;
use crate::http::{deadline, measure, protection, request_id};
use crate::openapi::page::{self, Description};
use crate::verification::{batch, rpc};
use crate::{
    accounts, audit, console, dead_letters, history, leaks, nodes, oauth, tokens, usage, webhooks,
    whoami,
};

/// Everything but forward-auth.
pub(crate) fn router(app: App) -> Router {
    let api = api(app.clone());
    let console = guarded(console::router(app.clone(), api.clone()), &app)
        .layer(middleware::from_fn(console::layer));
    api.merge(console)
        .layer(middleware::from_fn_with_state(app.clone(), measure::layer))
        .layer(middleware::map_response_with_state(app, protection::layer))
}

/// The API, for programs.
fn api(app: App) -> Router {
    // Gateways and services that ask about a token they were shown.
    let verifiers = Router::new().route("/v1/verify", post(rpc::handle));
    let batches = Router::new()
        .route("/v1/verify/batch", post(batch::handle))
        .layer(DefaultBodyLimit::max(batch::MAX_BODY_BYTES))
        .layer(Extension(MaxBody(batch::MAX_BODY_BYTES)));

    // Operators, account holders, and programs with a management token.
    let management = Router::new()
        .route(
            "/v1/accounts",
            post(accounts::register::handle).get(accounts::list::handle),
        )
        .route(
            "/v1/accounts/{id}",
            get(accounts::get::handle)
                .patch(accounts::change::handle)
                .delete(accounts::delete::handle),
        )
        .route(
            "/v1/accounts/{id}/suspend",
            post(accounts::suspend::suspend),
        )
        .route("/v1/accounts/{id}/resume", post(accounts::suspend::resume))
        .route("/v1/accounts/{id}/quotas", get(accounts::quotas::handle))
        .route(
            "/v1/accounts/{id}/quotas/{name}/refill",
            post(accounts::refill::handle),
        )
        .route(
            "/v1/tokens",
            post(tokens::issue::handle).get(tokens::list::handle),
        )
        .route(
            "/v1/tokens/{id}",
            get(tokens::get::handle)
                .patch(tokens::change::handle)
                .delete(tokens::revoke::handle),
        )
        .route("/v1/tokens/bulk-revoke", post(tokens::bulk_revoke::handle))
        .route(
            "/v1/tokens/bulk-revoke/{id}",
            get(tokens::bulk_progress::handle),
        )
        .route("/v1/tokens/{id}/rotate", post(tokens::rotate::handle))
        .route("/v1/tokens/{id}/suspend", post(tokens::suspend::suspend))
        .route("/v1/tokens/{id}/resume", post(tokens::suspend::resume))
        .route("/v1/tokens/{id}/quotas", get(tokens::quotas::handle))
        .route(
            "/v1/tokens/{id}/quotas/{name}/refill",
            post(tokens::refill::handle),
        )
        .route(
            "/v1/webhooks",
            post(webhooks::create::handle).get(webhooks::list::handle),
        )
        .route(
            "/v1/webhooks/{id}",
            get(webhooks::get::handle)
                .patch(webhooks::change::handle)
                .delete(webhooks::delete::handle),
        )
        .route(
            "/v1/webhooks/{id}/rotate-secret",
            post(webhooks::rotate_secret::handle),
        )
        .route("/v1/webhooks/{id}/replay", post(webhooks::replay::handle))
        .route(
            "/v1/webhooks/{id}/deliveries",
            get(webhooks::deliveries::handle),
        )
        .route("/v1/tokens/{id}/events", get(history::of_token::handle))
        .route("/v1/tokens/{id}/diff", get(history::diff::handle))
        .route("/v1/events", get(history::feed::handle))
        .route("/v1/audit", get(audit::list::handle))
        .route("/v1/tokens/{id}/usage", get(usage::of_token::handle))
        .route(
            "/v1/tokens/{id}/usage/requests",
            get(usage::requests::handle),
        )
        .route("/v1/tokens/{id}/exposure", get(usage::exposure::handle))
        .route("/v1/tokens/{id}/dry-run", post(usage::dry_run::handle))
        .route("/v1/usage", get(usage::all::handle))
        .route("/v1/usage/tokens", get(usage::top::handle))
        .route("/v1/whoami", get(whoami::handle));

    // Whoever runs the installation.
    let installation = Router::new()
        .route("/v1/usage/completeness", get(usage::completeness::handle))
        .route("/v1/dead-letters", get(dead_letters::list::handle))
        .route("/v1/dead-letters/{id}", get(dead_letters::get::handle))
        .route(
            "/v1/dead-letters/replay",
            post(dead_letters::replay::handle),
        )
        .route("/v1/nodes", get(nodes::list::handle))
        .route(
            "/v1/nodes/{id}",
            put(nodes::report::handle).delete(nodes::forget::handle),
        );

    // Nodes without a database.
    let remote = Router::new()
        .route("/v1/nodes/lookup", post(nodes::lookup::handle))
        .route("/v1/nodes/events", get(nodes::events::handle))
        .route("/v1/nodes/ledger", post(nodes::ledger::handle))
        .route("/v1/nodes/{id}/usage", put(nodes::mark::handle))
        .route("/v1/nodes/balances", post(nodes::balances::handle));

    // Account holders, and programs with a token, each for their own account alone.
    let self_service = Router::new()
        .route(
            "/settings/api-tokens",
            post(tokens::issue::handle).get(tokens::list::handle),
        )
        .route(
            "/settings/api-tokens/{id}",
            get(tokens::get::handle).delete(tokens::revoke::handle),
        )
        .layer(Extension(OwnAccount));

    // Services that issue tokens for the users they know.
    let services = Router::new().route(
        "/api/tokens",
        post(tokens::service::issue::handle).get(tokens::service::list::handle),
    );

    // Partners that scan the world for secrets. Their reports are larger than our own bodies.
    let partners = Router::new()
        .route("/v1/leaks", post(leaks::report::handle))
        .layer(DefaultBodyLimit::max(leaks::MAX_REPORT_BYTES));

    // Whoever brings tokens from another system, many at once.
    let imports = Router::new()
        .route("/v1/tokens/import", post(tokens::import::handle))
        .layer(DefaultBodyLimit::max(tokens::import::MAX_BODY_BYTES))
        .layer(Extension(MaxBody(tokens::import::MAX_BODY_BYTES)));

    // Gateways and services that say what tokens were used for, many calls at once.
    let reporters = Router::new()
        .route("/v1/usage", post(usage::report::handle))
        .layer(DefaultBodyLimit::max(usage::report::MAX_BODY_BYTES))
        .layer(Extension(MaxBody(usage::report::MAX_BODY_BYTES)));

    // People and programs that get to know the API.
    let description = Router::new()
        .route("/openapi.json", get(page::document))
        .route("/docs", get(page::redirect))
        .route("/docs/", get(page::index))
        .route("/docs/{name}", get(page::part))
        .with_state(Description::new());

    // OAuth clients.
    let oauth = Router::new()
        .route("/oauth/introspect", post(oauth::introspect::handle))
        .route("/oauth/revoke", post(oauth::revoke::handle));

    let all = verifiers
        .merge(batches)
        .merge(management)
        .merge(installation)
        .merge(remote)
        .merge(imports)
        .merge(reporters)
        .merge(oauth)
        .merge(partners)
        .merge(self_service)
        .merge(services)
        .merge(description)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .fallback(async || Problem::not_found("path"))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(app.clone());
    guarded(all, &app)
}

/// What holds for every request, but for how it is counted.
fn guarded(routes: Router, app: &App) -> Router {
    routes
        .layer(CatchPanicLayer::custom(|panic| {
            Problem::panicked(panic).into_response()
        }))
        .layer(middleware::from_fn(deadline::layer))
        .layer(middleware::from_fn_with_state(app.clone(), audit::layer))
        .layer(middleware::from_fn_with_state(
            app.clone(),
            request_id::layer,
        ))
}
