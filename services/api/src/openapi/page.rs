//! `GET /openapi.json`, and `GET /docs`: a page to read the API and to try it. Nothing of it comes
//! from another host, and its policy lets the browser ask no other.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa_swagger_ui::Config;

use crate::http::problem::Problem;

/// What the page consists of. The rest of the package is for logins that do not exist here.
const FILES: [&str; 8] = [
    "index.html",
    "index.css",
    "swagger-ui.css",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-initializer.js",
    "favicon-16x16.png",
    "favicon-32x32.png",
];

/// Scripts, styles and requests of this host only; the page's pictures are written into its styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// The document and the page's settings, made once.
#[derive(Clone)]
pub(crate) struct Description {
    document: Bytes,
    config: Arc<Config<'static>>,
}

impl Description {
    pub(crate) fn new() -> Self {
        // Relative, so that it works below a proxy's prefix. The validator would be another host.
        let config = Config::new(["../openapi.json"])
            .use_base_layout()
            .validator_url("none")
            .try_it_out_enabled(true)
            .display_request_duration(true);
        Self {
            document: super::document().into(),
            config: Arc::new(config),
        }
    }
}

/// The description of the API.
pub(crate) async fn document(State(description): State<Description>) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], description.document).into_response()
}

/// Leads to the page, whose parts are named relative to it.
pub(crate) async fn redirect() -> Response {
    let target = HeaderValue::from_static("docs/");
    (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, target)]).into_response()
}

/// The page.
pub(crate) async fn index(State(description): State<Description>) -> Result<Response, Problem> {
    file(&description, FILES[0])
}

/// A part of the page: 200, or 404.
pub(crate) async fn part(
    State(description): State<Description>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    file(&description, &name)
}

fn file(description: &Description, name: &str) -> Result<Response, Problem> {
    let missing = || Problem::not_found("path");
    let name = FILES.iter().find(|known| **known == name);
    let found = utoipa_swagger_ui::serve(name.ok_or_else(missing)?, description.config.clone());
    let found = found.map_err(Problem::internal)?.ok_or_else(missing)?;
    let kind = HeaderValue::try_from(found.content_type).map_err(Problem::internal)?;
    let headers = [
        (header::CONTENT_TYPE, kind),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("max-age=3600"),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    Ok((headers, found.bytes).into_response())
}
