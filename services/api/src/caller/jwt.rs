//! JWTs of account holders (RFC 7519), signed with the shared secret (HS256).

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use tollkeeper_domain::account::Identity;
use tollkeeper_domain::scope::ScopeSet;
use tollkeeper_runtime::settings::JwtSettings;

use crate::http::problem::Problem;

/// How far the issuer's clock may be off, in seconds.
const LEEWAY: i64 = 30;

/// As long as an account's identity may be; a longer one has no account and gets none.
const MAX_SUBJECT_CHARACTERS: usize = 255;

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    nbf: Option<i64>,
    /// Scopes with spaces between them (RFC 8693, section 4.2).
    scope: Option<String>,
}

/// Whom a JWT names, and what they were granted.
#[derive(Debug)]
pub(crate) struct Holder {
    /// Who that is to the issuer.
    pub(crate) identity: Identity,
    /// What the issuer grants; none if it does not say.
    pub(crate) granted: Option<ScopeSet>,
}

/// Checks a JWT at `now`, in seconds since the Unix epoch, and tells whom it names.
///
/// # Errors
/// 401 that says which check it did not pass; nothing of the JWT is in it.
pub(crate) fn check(settings: &JwtSettings, jwt: &[u8], now: i64) -> Result<Holder, Problem> {
    let refused = |why: &str| Problem::bad_credential("INVALID_JWT", why);
    // The algorithm is pinned: what the JWT says of itself chooses nothing.
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[&settings.issuer]);
    validation.set_audience(&[&settings.audience]);
    validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
    // Times are compared below, with the clock that was passed in.
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(settings.hs256_secret.expose().as_bytes());
    let claims = decode::<Claims>(jwt, &key, &validation)
        .map_err(|_| refused("the JWT's signature, issuer, audience or form is not accepted"))?
        .claims;
    if claims.exp.saturating_add(LEEWAY) <= now {
        return Err(refused("the JWT has expired"));
    }
    if claims
        .nbf
        .is_some_and(|start| start.saturating_sub(LEEWAY) > now)
    {
        return Err(refused("the JWT is not valid yet"));
    }
    let length = claims.sub.chars().count();
    if !(1..=MAX_SUBJECT_CHARACTERS).contains(&length) || claims.sub.chars().any(char::is_control) {
        return Err(refused("the JWT names no subject that an account can have"));
    }
    // A text that is no scope grants nothing.
    let granted = claims.scope.map(|scopes| {
        scopes
            .split(' ')
            .filter_map(|scope| scope.parse().ok())
            .collect()
    });
    let identity = Identity {
        issuer: settings.issuer.clone(),
        subject: claims.sub,
    };
    Ok(Holder { identity, granted })
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};
    use tollkeeper_runtime::settings::Secret;

    use super::*;

    const SECRET: &str = "a shared secret of more than 32 bytes";

    fn settings() -> JwtSettings {
        JwtSettings {
            issuer: "https://id.example.com".into(),
            audience: "tollkeeper".into(),
            hs256_secret: Secret::new(SECRET),
        }
    }

    fn sign(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
        encode(
            &Header::new(algorithm),
            claims,
            &EncodingKey::from_secret(secret.as_bytes()),
        )
        .unwrap()
    }

    fn claims(patch: Value) -> Value {
        let mut claims = json!({
            "iss": "https://id.example.com", "aud": "tollkeeper", "sub": "user-1", "exp": 1000
        });
        for (name, value) in patch.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }

    #[test]
    fn a_good_one_names_issuer_and_subject() {
        let jwt = sign(Algorithm::HS256, SECRET, &claims(json!({})));
        let identity = check(&settings(), jwt.as_bytes(), 999).unwrap().identity;
        assert_eq!(
            (identity.issuer.as_str(), identity.subject.as_str()),
            ("https://id.example.com", "user-1")
        );
    }

    #[test]
    fn every_claim_is_needed_and_checked() {
        for patch in [
            json!({"iss": "https://evil.example.com"}),
            json!({"aud": "somebody else"}),
            json!({"exp": 900}),
            json!({"nbf": 1100}),
            json!({"sub": ""}),
            json!({"sub": "a\u{0}b"}),
            json!({"sub": "x".repeat(256)}),
            json!({"iss": null}),
            json!({"aud": null}),
            json!({"exp": null}),
            json!({"sub": null}),
        ] {
            let jwt = sign(Algorithm::HS256, SECRET, &claims(patch.clone()));
            assert!(check(&settings(), jwt.as_bytes(), 1000).is_err(), "{patch}");
        }
    }

    #[test]
    fn other_keys_and_algorithms_are_refused() {
        let other = sign(
            Algorithm::HS256,
            "another secret of more than 32 bytes",
            &claims(json!({})),
        );
        let stronger = sign(Algorithm::HS512, SECRET, &claims(json!({})));
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJ1c2VyLTEifQ.";
        for jwt in [other.as_str(), stronger.as_str(), none, "a.b.c", ".."] {
            assert!(check(&settings(), jwt.as_bytes(), 1).is_err());
        }
    }
}
