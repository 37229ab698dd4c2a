//! What an ID token says, and whether it may be believed: OpenID Connect Core 1.0, section 3.1.3.7.

use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq;

use crate::caller::jwks::KeySet;

/// How far the provider's clock may be off, in seconds.
const LEEWAY: i64 = 30;

/// As long as a subject may be (OpenID Connect Core 1.0, section 2).
const MAX_SUBJECT_CHARACTERS: usize = 255;

const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::RS256,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::EdDSA,
];

/// Why an ID token is not believed. Says nothing of what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadIdToken {
    /// No JWS, or not by one of the provider's keys.
    #[error("it is not signed by a key of the provider with RS256, PS256, ES256 or EdDSA")]
    Signature,
    /// Of another issuer, for another client, or without a claim that is needed.
    #[error("it is not from this issuer for this client, or lacks a claim")]
    Claims,
    /// It is also for others.
    #[error("it is for others too, and not authorized to this client")]
    Authorized,
    /// It is over.
    #[error("it has expired, or comes from the future")]
    Time,
    /// It was made for another sign-in.
    #[error("it is not for this sign-in: its nonce is another")]
    Nonce,
    /// Nobody can have this subject.
    #[error("its subject is empty or too long")]
    Subject,
}

/// What it says.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Claims {
    /// Who that is to the issuer.
    pub(super) sub: String,
    aud: Value,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nonce: String,
    /// Their address.
    pub(super) email: Option<String>,
    email_verified: Option<Value>,
}

impl Claims {
    /// Their address, if the provider vouches for it.
    pub(super) fn verified_email(&self) -> Option<&str> {
        let email = self.email.as_deref();
        email.filter(|_| self.email_verified == Some(Value::Bool(true)))
    }
}

/// What an ID token must fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    /// In seconds since the Unix epoch.
    pub(super) now: i64,
}

/// Checks an ID token, and tells what it says.
///
/// # Errors
/// [`BadIdToken`] that names the check that it did not pass.
pub(super) fn check(
    token: &str,
    keys: &KeySet,
    expected: Expected<'_>,
) -> Result<Claims, BadIdToken> {
    let header = decode_header(token).map_err(|_| BadIdToken::Signature)?;
    // RFC 7515, section 4.1.11: what must be understood and is not.
    if header.crit.is_some() || !ALGORITHMS.contains(&header.alg) {
        return Err(BadIdToken::Signature);
    }
    let kid = header.kid.as_deref().ok_or(BadIdToken::Signature)?;
    let key = keys.find(kid, header.alg).ok_or(BadIdToken::Signature)?;
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
    // Times are compared below, with the clock that was passed in.
    validation.validate_exp = false;
    let claims = decode::<Claims>(token, key, &validation);
    let claims = claims.map_err(|error| match error.kind() {
        jsonwebtoken::errors::ErrorKind::InvalidSignature => BadIdToken::Signature,
        _ => BadIdToken::Claims,
    })?;
    let claims = claims.claims;
    let is_for_others = claims.aud.as_array().is_some_and(|all| all.len() > 1);
    let authorized = claims.azp.as_deref();
    if authorized.is_some_and(|it| it != expected.client_id)
        || (is_for_others && authorized.is_none())
    {
        return Err(BadIdToken::Authorized);
    }
    let is_over = claims.exp.saturating_add(LEEWAY) <= expected.now;
    if is_over || claims.iat.saturating_sub(LEEWAY) > expected.now {
        return Err(BadIdToken::Time);
    }
    if !bool::from(claims.nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return Err(BadIdToken::Nonce);
    }
    let length = claims.sub.chars().count();
    if !(1..=MAX_SUBJECT_CHARACTERS).contains(&length) || claims.sub.chars().any(char::is_control) {
        return Err(BadIdToken::Subject);
    }
    Ok(claims)
}
