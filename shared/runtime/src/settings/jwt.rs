//! JSON Web Tokens as the fallback way in.

use super::names::{Binary, DefaultValue, Setting};
use super::{Secret, SettingsError, Source};

/// RFC 7518, section 3.2: a key no shorter than the hash.
const HS256_MIN_BYTES: usize = 32;

pub(super) const JWT_ISSUER: Setting = Setting {
    name: "JWT_ISSUER",
    default: DefaultValue::None,
    meaning: "The `iss` that an account JWT must carry. JWTs are off unless issuer, audience and \
              secret are all set.",
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
    meaning: "The shared secret that account JWTs are signed with (HS256), at least 32 bytes.",
    secret: true,
    read_by: &[Binary::Api],
    example: "",
};

/// What an account JWT must prove.
#[derive(Debug, Clone)]
pub struct JwtSettings {
    pub issuer: String,
    pub audience: String,
    pub hs256_secret: Secret,
}

impl JwtSettings {
    /// `None` when JWTs are off.
    ///
    /// # Errors
    /// When only some of the three are set, or the secret is too short.
    pub fn read(source: &Source) -> Result<Option<Self>, SettingsError> {
        let issuer: Option<String> = source.optional(&JWT_ISSUER)?;
        let audience: Option<String> = source.optional(&JWT_AUDIENCE)?;
        let secret: Option<Secret> = source.optional(&JWT_HS256_SECRET)?;
        if issuer.is_none() && audience.is_none() && secret.is_none() {
            return Ok(None);
        }
        let hs256_secret: Secret = source.required(&JWT_HS256_SECRET)?;
        if hs256_secret.expose().len() < HS256_MIN_BYTES {
            let reason = format!("it must have at least {HS256_MIN_BYTES} bytes");
            return Err(source.invalid(&JWT_HS256_SECRET, reason));
        }
        Ok(Some(Self {
            issuer: source.required(&JWT_ISSUER)?,
            audience: source.required(&JWT_AUDIENCE)?,
            hs256_secret,
        }))
    }
}
