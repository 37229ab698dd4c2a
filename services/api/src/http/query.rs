//! Query strings, read strictly.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// A query string of exactly this form.
#[derive(Debug)]
pub(crate) struct Parameters<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = parts.uri.query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(text.as_bytes());
        if let Some((name, _)) = pairs.find(|(_, value)| value.contains('\0')) {
            // PostgreSQL takes none in a text, so nothing has it.
            let detail = format!("the query cannot be accepted: {name}: holds U+0000");
            return Err(Problem::bad_request("INVALID_QUERY", detail));
        }
        let Query(parameters) = Query::try_from_uri(&parts.uri).map_err(|rejection| {
            let reason = std::error::Error::source(&rejection).map(ToString::to_string);
            let reason = reason.unwrap_or_else(|| rejection.to_string());
            Problem::bad_request(
                "INVALID_QUERY",
                format!("the query cannot be accepted: {reason}"),
            )
        })?;
        Ok(Self(parameters))
    }
}
