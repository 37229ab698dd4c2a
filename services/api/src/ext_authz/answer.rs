//! What Envoy is answered.

use axum::body::to_bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use tollkeeper_authn::{Identity, Verification};
use tollkeeper_check::LimitHeaders;
use tonic::Code;

use super::messages::{
    Allowed, CheckResponse, Denied, HeaderValueOption, HttpResponse, HttpStatus, Status,
};
use crate::app::App;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
use crate::verification::account::Admitted;
use crate::verification::forward_auth::IDENTITY;

/// The request may pass, with these identity headers in the place of the client's. What is left of the
/// token's rate limits is told in the answer that the client gets.
pub(super) fn allowed(verification: &Verification, identity: Identity<'_>) -> CheckResponse {
    let who = [
        identity.token_id().to_string(),
        identity.account_id().to_string(),
        identity.facts().scopes.as_str().to_owned(),
    ];
    let limits = LimitHeaders::of(verification);
    let limits = limits.iter().flat_map(LimitHeaders::each);
    passes(
        who,
        limits.map(|(name, value)| header(&name, &value)).collect(),
    )
}

/// The same for the holder of an account, who has no token.
pub(super) fn allowed_account(admitted: &Admitted) -> CheckResponse {
    let who = [
        String::new(),
        admitted.account_id.to_string(),
        admitted.scopes.as_str().to_owned(),
    ];
    passes(who, Vec::new())
}

fn passes(who: [String; 3], response_headers: Vec<HeaderValueOption>) -> CheckResponse {
    let headers = IDENTITY.into_iter().zip(who).map(|(name, value)| {
        HeaderValueOption::new(Bytes::from_static(name.as_bytes()), value.into())
    });
    let allowed = Allowed {
        headers: headers.collect(),
        response_headers,
    };
    CheckResponse {
        status: Some(Status {
            code: Code::Ok as i32,
        }),
        http_response: Some(HttpResponse::Ok(allowed)),
    }
}

/// The client is answered as forward-auth would answer it.
pub(super) async fn denied(app: &App, headers: &HeaderMap, problem: &Problem) -> CheckResponse {
    let id = RequestId::of(headers, app);
    let mut response = problem.answer(&id.0, &app.policy.scrubber);
    id.mark(&mut response);
    let (parts, body) = Response::into_parts(response);
    let status = parts.status;
    let code = match status.as_u16() {
        400 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        429 => Code::ResourceExhausted,
        503 => Code::Unavailable,
        _ => Code::Internal,
    };
    let headers = parts.headers.iter();
    // Envoy writes the length itself.
    let headers = headers.filter(|(name, _)| *name != header::CONTENT_LENGTH);
    let headers = headers.map(|(name, value)| header(name, value));
    let denied = Denied {
        status: Some(HttpStatus {
            code: status.as_u16().into(),
        }),
        headers: headers.collect(),
        // It is in memory already; the status says enough if not.
        body: to_bytes(body, usize::MAX).await.unwrap_or_default(),
    };
    CheckResponse {
        status: Some(Status { code: code as i32 }),
        http_response: Some(HttpResponse::Denied(denied)),
    }
}

fn header(name: &HeaderName, value: &HeaderValue) -> HeaderValueOption {
    let name = Bytes::copy_from_slice(name.as_str().as_bytes());
    HeaderValueOption::new(name, Bytes::copy_from_slice(value.as_bytes()))
}
