//! JWTs of account holders (RFC 7519), signed with the shared secret (HS256) or with one of the
//! issuer's private keys. What a JWT says of itself chooses among the issuer's public keys and
//! nothing else: a key is used with the algorithm that it is for.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;
use tollkeeper_domain::account::Identity;
use tollkeeper_domain::scope::ScopeSet;

use super::jwks::{Keys, NoKey};
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

/// What a JWT must prove.
#[derive(Debug)]
pub struct JwtPolicy {
    /// Its `iss`.
    pub issuer: String,
    /// Its `aud`, or one of them.
    pub audience: String,
    /// By what its signature is checked.
    pub signed: SignedBy,
}

/// By what signatures are checked: one of the two, never both.
#[derive(Debug)]
pub enum SignedBy {
    /// The secret shared with the issuer.
    Secret(DecodingKey),
    /// The issuer's public keys.
    PublicKeys(Arc<Keys>),
}

/// Why a JWT is not accepted. Nothing of the JWT is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadJwt {
    /// Its signature, issuer, audience or form.
    Unproven,
    /// It names nobody that could have an account.
    Nobody,
    /// It is not valid yet.
    Early,
    /// It is valid no more.
    Expired,
    /// The issuer's keys are not known.
    Unavailable,
}

/// As a management request is answered: 401 that says which check was not passed, or 503.
impl From<BadJwt> for Problem {
    fn from(bad: BadJwt) -> Self {
        let why = match bad {
            BadJwt::Unproven => "the JWT's signature, issuer, audience or form is not accepted",
            BadJwt::Nobody => "the JWT names no subject that an account can have",
            BadJwt::Early => "the JWT is not valid yet",
            BadJwt::Expired => "the JWT has expired",
            BadJwt::Unavailable => return Self::known_unavailable(),
        };
        Self::bad_credential("INVALID_JWT", why)
    }
}

/// Checks a JWT at `now`, in seconds since the Unix epoch, and tells whom it names.
///
/// # Errors
/// [`BadJwt`] by the first check that it does not pass.
pub(crate) async fn check(policy: &JwtPolicy, jwt: &[u8], now: i64) -> Result<Holder, BadJwt> {
    let header = decode_header(jwt).map_err(|_| BadJwt::Unproven)?;
    // RFC 7515, section 4.1.11: what must be understood and is not.
    if header.crit.is_some() {
        return Err(BadJwt::Unproven);
    }
    let (algorithm, key) = match &policy.signed {
        SignedBy::Secret(key) => (Algorithm::HS256, key.clone()),
        SignedBy::PublicKeys(keys) => chosen(keys, &header).await?,
    };
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[&policy.issuer]);
    validation.set_audience(&[&policy.audience]);
    validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
    // Times are compared below, with the clock that was passed in.
    validation.validate_exp = false;
    let claims = decode::<Claims>(jwt, &key, &validation)
        .map_err(|_| BadJwt::Unproven)?
        .claims;
    if claims.exp.saturating_add(LEEWAY) <= now {
        return Err(BadJwt::Expired);
    }
    if claims
        .nbf
        .is_some_and(|start| start.saturating_sub(LEEWAY) > now)
    {
        return Err(BadJwt::Early);
    }
    let length = claims.sub.chars().count();
    if !(1..=MAX_SUBJECT_CHARACTERS).contains(&length) || claims.sub.chars().any(char::is_control) {
        return Err(BadJwt::Nobody);
    }
    // A text that is no scope grants nothing.
    let granted = claims.scope.map(|scopes| {
        scopes
            .split(' ')
            .filter_map(|scope| scope.parse().ok())
            .collect()
    });
    let identity = Identity {
        issuer: policy.issuer.clone(),
        subject: claims.sub,
    };
    Ok(Holder { identity, granted })
}

/// The public key that a JWT names, and the one algorithm it is used with.
async fn chosen(keys: &Keys, header: &Header) -> Result<(Algorithm, DecodingKey), BadJwt> {
    let asymmetric = [
        Algorithm::RS256,
        Algorithm::PS256,
        Algorithm::ES256,
        Algorithm::EdDSA,
    ];
    // Nothing else may have the source read again.
    let Some(kid) = header
        .kid
        .as_deref()
        .filter(|_| asymmetric.contains(&header.alg))
    else {
        return Err(BadJwt::Unproven);
    };
    match keys.find(kid, header.alg).await {
        Ok(key) => Ok((header.alg, key)),
        Err(NoKey::Unknown) => Err(BadJwt::Unproven),
        Err(NoKey::Unavailable) => Err(BadJwt::Unavailable),
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "a shared secret of more than 32 bytes";

    fn policy() -> JwtPolicy {
        JwtPolicy {
            issuer: "https://id.example.com".into(),
            audience: "tollkeeper".into(),
            signed: SignedBy::Secret(DecodingKey::from_secret(SECRET.as_bytes())),
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

    #[tokio::test]
    async fn a_good_one_names_issuer_and_subject() {
        let jwt = sign(Algorithm::HS256, SECRET, &claims(json!({})));
        let identity = check(&policy(), jwt.as_bytes(), 999)
            .await
            .unwrap()
            .identity;
        assert_eq!(
            (identity.issuer.as_str(), identity.subject.as_str()),
            ("https://id.example.com", "user-1")
        );
    }

    #[tokio::test]
    async fn every_claim_is_needed_and_checked() {
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
            assert!(
                check(&policy(), jwt.as_bytes(), 1000).await.is_err(),
                "{patch}"
            );
        }
    }

    #[tokio::test]
    async fn other_keys_and_algorithms_are_refused() {
        let other = sign(
            Algorithm::HS256,
            "another secret of more than 32 bytes",
            &claims(json!({})),
        );
        let stronger = sign(Algorithm::HS512, SECRET, &claims(json!({})));
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJ1c2VyLTEifQ.";
        let mut critical = Header::new(Algorithm::HS256);
        critical.crit = Some(vec!["exp".to_owned()]);
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let critical = encode(&critical, &claims(json!({})), &key).unwrap();
        let bad = [other, stronger, critical].map(String::into_bytes);
        let bad = bad.iter().map(Vec::as_slice);
        for jwt in bad.chain([none.as_bytes(), b"a.b.c", b".."]) {
            assert!(check(&policy(), jwt, 1).await.is_err());
        }
    }
}
