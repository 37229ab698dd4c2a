//! The form of a request: `token`, and the credential of the client where it is not in a header.

use std::collections::HashSet;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::http::body::{MAX_BODY_BYTES, unread};
use crate::http::problem::Problem;

/// What the endpoints read; other parameters, such as `token_type_hint`, are left unread, as RFC
/// 6749, section 3.1, wants it.
#[derive(Default)]
pub(crate) struct Form {
    pub(super) token: Option<Zeroizing<String>>,
    pub(super) client_secret: Option<Zeroizing<String>>,
}

/// The form as clients fill it in. Other parameters are left unread.
#[derive(ToSchema)]
#[schema(as = OAuthForm, example = json!({
    "token": "tk_live_Xk2pV9aQ0bR7cS4dT1eU8fW5gY3hZ6iN2jM0q1aB2c",
}))]
#[allow(dead_code, reason = "it is read by hand, and only described by this")]
pub(super) struct FormFields {
    /// The token that the request is about.
    #[schema(min_length = 1)]
    token: String,
    /// Left unread: there is one type of token.
    #[schema(nullable = false)]
    token_type_hint: Option<String>,
    /// Any: it goes with the secret.
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// An API token or an operator key, where it is in no header.
    #[schema(nullable = false)]
    client_secret: Option<String>,
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let essence = kind.and_then(|kind| kind.to_str().ok()?.split(';').next());
        let is_form = essence.is_some_and(|kind| {
            kind.trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
        if !is_form {
            let detail = "send a form with `Content-Type: application/x-www-form-urlencoded`";
            return Err(Problem::bad_request("INVALID_FORM", detail).in_oauth_form());
        }
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|rejection| unread(rejection, MAX_BODY_BYTES).in_oauth_form())?;
        Self::read(&bytes).map_err(Problem::in_oauth_form)
    }
}

impl Form {
    /// Each parameter may be given once.
    fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let mut form = Self::default();
        let mut names = HashSet::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            let value = Zeroizing::new(value.into_owned());
            match &*name {
                "token" => form.token = Some(value),
                "client_secret" => form.client_secret = Some(value),
                _ => {}
            }
            if !names.insert(name) {
                let detail = "a parameter is given more than once";
                return Err(Problem::bad_request("INVALID_FORM", detail));
            }
        }
        Ok(form)
    }

    /// The token that the request is about.
    pub(super) fn token(&self) -> Result<&str, Problem> {
        let token = self.token.as_deref().map(String::as_str);
        let missing = || {
            let problem = Problem::bad_request("INVALID_FORM", "the parameter `token` is missing");
            problem.in_oauth_form()
        };
        token.filter(|token| !token.is_empty()).ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_read_once_each() {
        let form = Form::read(b"token=a%2Bb+c&token_type_hint=x&more=1&client_secret=s").unwrap();
        assert_eq!(form.token().unwrap(), "a+b c");
        assert_eq!(form.client_secret.as_deref().map(String::as_str), Some("s"));
        for twice in ["token=a&token=a", "x=1&x=2", "token=a&tok%65n=b"] {
            assert!(Form::read(twice.as_bytes()).is_err(), "{twice}");
        }
        for without in ["", "token=", "token", "TOKEN=a"] {
            let form = Form::read(without.as_bytes()).unwrap();
            assert!(form.token().is_err(), "{without}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_form_or_an_error(bytes in any::<Vec<u8>>()) {
            let _either = Form::read(&bytes).map(|form| form.token().is_ok());
        }
    }
}
