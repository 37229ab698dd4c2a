//! Who asks: a credential as elsewhere, or as OAuth clients send theirs (RFC 6749, section 2.3.1),
//! where any client id goes with an API token or an operator key as the client's secret.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tollkeeper_check::{Credential, presented};
use zeroize::Zeroizing;

use super::form::Form;
use crate::app::App;
use crate::caller::{Caller, identify};
use crate::http::client::Sender;
use crate::http::problem::Problem;

/// The caller, if the request says who that is: a token with the scopes that are needed, or somebody else.
///
/// # Errors
/// 400 if it says so in several ways, 401 if the credential does not work, 403 if it is a token that
/// is not allowed from where it was used or lacks a scope, 429 if a rate limit of it is used up.
pub(super) async fn caller(
    app: &App,
    (headers, client): (&HeaderMap, Sender),
    form: &Form,
    needed: &[&str],
) -> Result<Option<Caller>, Problem> {
    let found = found(app, (headers, client), form, needed).await;
    found.map_err(|problem| problem.in_oauth_form().with_challenge(CHALLENGE))
}

/// A 401 of OAuth names the scheme by which clients say who they are.
pub(super) const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"tollkeeper\"");

async fn found(
    app: &App,
    (headers, client): (&HeaderMap, Sender),
    form: &Form,
    needed: &[&str],
) -> Result<Option<Caller>, Problem> {
    let basic = basic(headers)?;
    let mut own = HeaderMap::new();
    let rest = if basic.is_some() {
        own.clone_from(headers);
        own.remove(header::AUTHORIZATION);
        &own
    } else {
        headers
    };
    let plain = presented(rest)?.only()?;
    let secrets = [basic.as_ref(), form.client_secret.as_ref()];
    let secrets = secrets
        .into_iter()
        .flatten()
        .map(|secret| Credential::Key(secret.as_bytes()));
    let mut credentials = plain.into_iter().chain(secrets);
    let Some(credential) = credentials.next() else {
        return Ok(None);
    };
    if credentials.any(|other| !other.is_same_as(credential)) {
        let detail = "several differing credentials are given";
        return Err(Problem::bad_request("TWO_CREDENTIALS", detail));
    }
    identify(app, credential, &client, needed).await.map(Some)
}

/// The secret of `Authorization: Basic`, where that is given.
fn basic(headers: &HeaderMap) -> Result<Option<Zeroizing<String>>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        // None, or several, which is told where they are read.
        return Ok(None);
    };
    let value = value.as_bytes();
    let Some((_, encoded)) = value
        .split_at_checked(6)
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"basic "))
    else {
        return Ok(None);
    };
    let read = || {
        let decoded = Zeroizing::new(STANDARD.decode(encoded.trim_ascii()).ok()?);
        let (_, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        form_decoded(secret)
    };
    let bad = || {
        let detail = "`Authorization: Basic` holds no client id and secret";
        Problem::bad_request("INVALID_HEADER", detail)
    };
    read().map(Some).ok_or_else(bad)
}

/// Both parts are encoded as in a form before they are joined.
fn form_decoded(text: &str) -> Option<Zeroizing<String>> {
    let spaced = Zeroizing::new(text.replace('+', " "));
    let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8();
    decoded.ok().map(|text| Zeroizing::new(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        headers
    }

    fn secret(value: &str) -> Option<String> {
        let found = basic(&headers(value)).unwrap();
        found.map(|secret| secret.to_string())
    }

    #[test]
    fn the_secret_is_what_stands_after_the_first_colon() {
        let basic = |text: &str| format!("basic {}", STANDARD.encode(text));
        assert_eq!(
            secret(&basic("gateway:tk_live_x")).as_deref(),
            Some("tk_live_x")
        );
        assert_eq!(secret(&basic(":a%3Ab+c")).as_deref(), Some("a:b c"));
        assert_eq!(secret("Bearer x"), None);
    }

    #[test]
    fn what_is_no_pair_is_an_error() {
        for bad in ["Basic", "Basic ", "Basic ?", "Basic YQ==", "Basic OiX/"] {
            let found = basic(&headers(bad));
            // Without a space it is no scheme that is known here.
            assert!(found.is_err() || bad == "Basic", "{bad}");
        }
    }
}
