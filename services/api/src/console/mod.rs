//! The console: pages for holders of an account and for operators, under `/console`.
//!
//! A page is a client of the management API, within the process: what it shows and changes goes through
//! [`api`], so that whoever is signed in may do here what they may do there, and nothing else. Everything
//! works without script; styles, script and pictures come from this host alone.

mod accounts;
mod api;
mod asker;
mod assets;
mod chart;
mod form;
mod frame;
mod home;
mod id;
mod missing;
mod operation;
mod password;
mod people;
mod query;
mod refused;
mod rows;
pub(crate) mod session;
mod sign_in;
mod stop;
mod tokens;
pub(crate) mod upkeep;
mod usage;
mod words;
mod you;

use axum::extract::Request;
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;
use axum::{Router, middleware};

pub use sign_in::oidc::Provider;

use crate::app::App;
use password::Passwords;
use refused::Asked;

/// What handlers of pages have at hand.
#[derive(Debug, Clone)]
pub(crate) struct Console {
    /// The parts of the process.
    app: App,
    /// The management API, as a client has it.
    api: Router,
    /// Hashes passwords.
    passwords: Passwords,
}

/// Where the console begins.
pub(crate) const PREFIX: &str = "/console";

/// Scripts, styles and requests of this host only, and forms that go there only.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// The pages, over the API that they are clients of.
pub(crate) fn router(app: App, api: Router) -> Router {
    let passwords = Passwords::new(app.entropy.clone());
    let console = Console {
        app,
        api,
        passwords,
    };
    Router::new()
        .route(PREFIX, get(home::show))
        .merge(operation::routes())
        .merge(accounts::routes())
        .merge(usage::routes())
        .route("/console/assets/{name}", get(assets::serve))
        .merge(tokens::routes())
        .merge(sign_in::routes())
        .merge(you::routes())
        .merge(people::routes())
        .merge(missing::routes())
        .method_not_allowed_fallback(missing::wrong_method)
        .layer(middleware::from_fn_with_state(
            console.clone(),
            asker::layer,
        ))
        .with_state(console)
}

/// Turns what is refused into pages, and adds what browsers are to know. To be around the layer that writes
/// problems.
pub(crate) async fn layer(mut request: Request, next: Next) -> Response {
    let asked = Asked::of(&mut request);
    let mut response = next.run(request).await;
    if refused::is_refusal(&response) {
        response = refused::page(response, &asked).await;
    }
    let headers = response.headers_mut();
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(POLICY);
    // Browsers name the origin of a form with this alone, which is how forms of others are told.
    let own = HeaderValue::from_static("same-origin");
    headers.entry(REFERRER_POLICY).or_insert(own.clone());
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    headers.entry(opener).or_insert(own);
    response
}
