//! How a problem is written: as `application/problem+json`, or as OAuth clients read it.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tollkeeper_usage::Scrubber;
use utoipa::ToSchema;

use super::{Document, FieldError, IP_NOT_ALLOWED, Problem, scrubbed};

/// An error as OAuth clients read it (RFC 6749, section 5.2).
#[derive(Serialize, ToSchema)]
#[schema(as = OAuthError)]
pub(crate) struct OAuthDocument<'a> {
    /// What is wrong, for programs.
    error: &'a str,
    /// What is wrong, for people.
    error_description: &'a str,
}

impl Problem {
    /// Writes the answer, and the inside into the log.
    pub(crate) fn answer(&self, request_id: &str, scrubber: &Scrubber) -> Response {
        let code = self.0.code;
        match &self.0.inside {
            Some(inside) => {
                let inside = scrubber.scrub(inside);
                tracing::error!(request_id, code, %inside, "a request failed");
            }
            None => {
                tracing::debug!(request_id, code, "a request was refused")
            }
        }
        // A caller may have put a token where none belongs; readers of JSON repeat what they read.
        let detail = scrubber.scrub(&self.0.detail);
        let errors = self.0.errors.iter().map(|it| scrubbed(it, scrubber));
        let errors: Vec<FieldError> = errors.collect();
        let (mut response, kind) = if self.0.oauth {
            let document = OAuthDocument {
                error: self.oauth_error(),
                error_description: &detail,
            };
            let response = (self.0.status, Json(document)).into_response();
            (response, "application/json")
        } else {
            (
                self.document(&detail, &errors, request_id),
                Document::MEDIA_TYPE,
            )
        };
        let kind = HeaderValue::from_static(kind);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        for (name, value) in &self.0.headers {
            response.headers_mut().append(name, value.clone());
        }
        response
    }

    fn document(&self, detail: &str, errors: &[FieldError], request_id: &str) -> Response {
        let code = self.0.code;
        let document = Document {
            r#type: Document::type_of(code),
            title: self.0.title,
            status: self.0.status.as_u16(),
            detail,
            code,
            request_id,
            errors,
        };
        (self.0.status, Json(document)).into_response()
    }

    /// The closest of the errors that OAuth knows (RFC 6749, sections 4.1.2.1 and 5.2, and RFC
    /// 6750, section 3.1).
    fn oauth_error(&self) -> &'static str {
        match self.0.status {
            StatusCode::UNAUTHORIZED => "invalid_client",
            StatusCode::FORBIDDEN if self.0.code == IP_NOT_ALLOWED => "unauthorized_client",
            StatusCode::FORBIDDEN => "insufficient_scope",
            StatusCode::CONFLICT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request",
        }
    }
}

/// The body is written by the layer that knows the request's id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::any::Any;

    use axum::body::to_bytes;

    use super::*;

    #[tokio::test]
    async fn the_text_of_a_panic_stays_inside() {
        for panic in [
            Box::new("index 7 out of bounds") as Box<dyn Any + Send>,
            Box::new("index 7 out of bounds".to_owned()),
            Box::new(7),
        ] {
            let answer = Problem::panicked(panic).answer("request-1", &Scrubber::default());
            assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
            let body = to_bytes(answer.into_body(), 10_000).await.unwrap();
            let body = String::from_utf8(body.to_vec()).unwrap();
            assert!(body.contains("\"code\":\"INTERNAL\""), "{body}");
            assert!(!body.contains("bounds"), "{body}");
        }
    }
}
