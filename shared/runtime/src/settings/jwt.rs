//! JSON Web Tokens as the fallback way in.

use std::path::PathBuf;
use std::str::FromStr;

use url::{Host, Url};

use super::names::{Binary, DefaultValue, Setting};
use super::{Secret, SettingsError, Source};

/// RFC 7518, section 3.2: a key no shorter than the hash.
const HS256_MIN_BYTES: usize = 32;

pub(super) const JWT_ISSUER: Setting = Setting {
    name: "JWT_ISSUER",
    default: DefaultValue::None,
    meaning: "The `iss` that an account JWT must carry. JWTs are off unless issuer, audience and \
              either a secret or a JWKS are set.",
    secret: false,
    read_by: &[Binary::Api],
    example: "https://login.example.com",
};

pub(super) const JWT_AUDIENCE: Setting = Setting {
    name: "JWT_AUDIENCE",
    default: DefaultValue::None,
    meaning: "The `aud` that an account JWT must carry.",
    secret: false,
    read_by: &[Binary::Api],
    example: "tollkeeper",
};

pub(super) const JWT_HS256_SECRET: Setting = Setting {
    name: "JWT_HS256_SECRET",
    default: DefaultValue::None,
    meaning: "The shared secret that account JWTs are signed with (HS256), at least 32 bytes. \
              Either this or `TOLLKEEPER_JWT_JWKS`.",
    secret: true,
    read_by: &[Binary::Api],
    example: "",
};

pub(super) const JWT_JWKS: Setting = Setting {
    name: "JWT_JWKS",
    default: DefaultValue::None,
    meaning: "The issuer's public keys (a JWK set): the path of a file, or an `https://` URL \
              (`http://` for a loopback host only). JWTs must then be signed with RS256, PS256, \
              ES256 or EdDSA and name their key by `kid`.",
    secret: false,
    read_by: &[Binary::Api],
    example: "https://login.example.com/.well-known/jwks.json",
};

/// By what the signatures of account JWTs are checked.
#[derive(Debug, Clone)]
pub enum JwtKeys {
    /// The secret shared with the issuer.
    Hs256(Secret),
    /// The issuer's public keys.
    Jwks(JwksSource),
}

/// Where the issuer's public keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwksSource {
    /// In a file.
    File(PathBuf),
    /// Behind a URL.
    Url(String),
}

/// Why a text names no keys.
#[derive(Debug, thiserror::Error)]
pub enum JwksSourceError {
    #[error("it is not a URL: {0}")]
    Form(#[from] url::ParseError),
    #[error("keys are fetched by `https://` only, and by `http://` from a loopback host")]
    Scheme,
    #[error("a URL with a user name or password is not supported")]
    UserInfo,
}

impl FromStr for JwksSource {
    type Err = JwksSourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.contains("://") {
            return Ok(Self::File(PathBuf::from(text)));
        }
        Ok(Self::Url(fetched_url(text)?.into()))
    }
}

/// A URL from which something is fetched that decides who gets in.
///
/// # Errors
/// When nobody knows whether the answer is from there.
pub fn fetched_url(text: &str) -> Result<Url, JwksSourceError> {
    let url = Url::parse(text)?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return Err(JwksSourceError::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(JwksSourceError::UserInfo);
    }
    Ok(url)
}

/// What an account JWT must prove.
#[derive(Debug, Clone)]
pub struct JwtSettings {
    pub issuer: String,
    pub audience: String,
    pub keys: JwtKeys,
}

impl JwtSettings {
    /// `None` when JWTs are off.
    ///
    /// # Errors
    /// When only some of what is needed is set, or both kinds of keys, or the secret is too short.
    pub fn read(source: &Source) -> Result<Option<Self>, SettingsError> {
        let issuer: Option<String> = source.optional(&JWT_ISSUER)?;
        let audience: Option<String> = source.optional(&JWT_AUDIENCE)?;
        let secret: Option<Secret> = source.optional(&JWT_HS256_SECRET)?;
        let jwks: Option<JwksSource> = source.optional(&JWT_JWKS)?;
        if issuer.is_none() && audience.is_none() && secret.is_none() && jwks.is_none() {
            return Ok(None);
        }
        let keys = match (secret, jwks) {
            (Some(_), Some(_)) => {
                let other = JWT_HS256_SECRET.variable();
                let reason = format!("{other} is set too: keep one of them");
                return Err(source.invalid(&JWT_JWKS, reason));
            }
            (None, Some(jwks)) => JwtKeys::Jwks(jwks),
            (Some(secret), None) if secret.expose().len() < HS256_MIN_BYTES => {
                let reason = format!("it must have at least {HS256_MIN_BYTES} bytes");
                return Err(source.invalid(&JWT_HS256_SECRET, reason));
            }
            (Some(secret), None) => JwtKeys::Hs256(secret),
            (None, None) => JwtKeys::Hs256(source.required(&JWT_HS256_SECRET)?),
        };
        Ok(Some(Self {
            issuer: source.required(&JWT_ISSUER)?,
            audience: source.required(&JWT_AUDIENCE)?,
            keys,
        }))
    }
}
