//! Versions as entity tags: `ETag` and `If-Match` (RFC 9110, section 13.1.1).

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, Required, Type};

use super::problem::Problem;

/// The version that the caller has seen, where it says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IfMatch(pub(crate) Option<u64>);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            return Ok(Self(None));
        };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let version = text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let version = version.and_then(|version| version.parse().ok());
        let bad = || {
            let detail = "`If-Match` is the `ETag` of the version you have seen, such as \"3\"";
            Problem::bad_request("INVALID_HEADER", detail)
        };
        Ok(Self(Some(version.ok_or_else(bad)?)))
    }
}

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let tag = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(r#"^("[0-9]{1,18}"|\*)$"#))
            .examples([r#""3""#]);
        let parameter = ParameterBuilder::new()
            .name("If-Match")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "The `ETag` of the version you have seen. Where another is the present one, \
                nothing is changed and the answer is 412.",
            ))
            .schema(Some(tag));
        vec![parameter.build()]
    }
}

/// The entity tag of a version.
pub(crate) fn etag(version: u64) -> [(axum::http::HeaderName, HeaderValue); 1] {
    let tag = HeaderValue::from_str(&format!("\"{version}\""));
    [(
        header::ETAG,
        tag.unwrap_or(HeaderValue::from_static("\"0\"")),
    )]
}
