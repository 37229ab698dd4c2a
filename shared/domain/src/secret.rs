//! The secret that a token's holder presents: `<brand>_<env>_<secret><checksum>`.
//!
//! `secret` is 32 base62 characters (190 bits); `checksum` is the CRC-32 (ISO-HDLC) of everything
//! before it as 6 base62 characters, most significant first. Junk is so refused without a look-up,
//! and secret scanners find no false positives. A test freezes the format.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SECRET_CHARACTERS: usize = 32;
const CHECKSUM_CHARACTERS: usize = 6;

/// Characters of the secret that `token_prefix` shows, for people to recognise a token by.
const PREFIX_CHARACTERS: usize = 4;

/// What kind of traffic a token is for. Written into the secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Real traffic.
    Live,
    /// Trials.
    Test,
}

impl Environment {
    /// `live` or `test`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is neither `live` nor `test`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an environment is `live` or `test`")]
pub struct UnknownEnvironment;

impl FromStr for Environment {
    type Err = UnknownEnvironment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "live" => Ok(Self::Live),
            "test" => Ok(Self::Test),
            _ => Err(UnknownEnvironment),
        }
    }
}

/// The first part of every issued token: 2–8 lower-case letters or digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand(String);

/// The text is not 2–8 lower-case letters or digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a brand is 2 to 8 lower-case letters or digits")]
pub struct BadBrand;

impl Brand {
    /// The brand as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Brand {
    type Err = BadBrand;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if (2..=8).contains(&text.len()) && text.bytes().all(known) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadBrand)
        }
    }
}

/// A whole token in clear. It shows itself in no debug output and is wiped when dropped.
pub struct TokenSecret {
    text: Zeroizing<String>,
    prefix_bytes: usize,
}

impl TokenSecret {
    /// Makes a token from random bytes, which `fill` must provide unpredictably.
    #[must_use]
    pub fn generate(brand: &Brand, environment: Environment, fill: impl Fn(&mut [u8])) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(brand.as_str());
        text.push('_');
        text.push_str(environment.as_str());
        text.push('_');
        let prefix_bytes = text.len() + PREFIX_CHARACTERS;
        let mut wanted = SECRET_CHARACTERS;
        while wanted > 0 {
            let mut random = Zeroizing::new([0_u8; SECRET_CHARACTERS]);
            fill(random.as_mut());
            // Bytes of 248 and more would favour the first letters of the alphabet.
            let fair = random.iter().filter(|byte| **byte < 248).take(wanted);
            for byte in fair {
                text.push(char::from(ALPHABET[usize::from(byte % 62)]));
                wanted -= 1;
            }
        }
        let checksum = checksum(text.as_bytes());
        text.extend(checksum.map(char::from));
        Self { text, prefix_bytes }
    }

    /// The token itself, to be shown once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Brand, environment and the first 4 characters of the secret.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.text[..self.prefix_bytes]
    }

    /// What is stored in place of the token.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(self.text.as_bytes())
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(redacted)")
    }
}

/// The SHA-256 of a whole token. In JSON it is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(value_type = String, pattern = "^[0-9a-f]{64}$")
)]
pub struct SecretHash(pub [u8; 32]);

impl SecretHash {
    /// Hashes a presented token.
    #[must_use]
    pub fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }
}

/// The text is not the SHA-256 of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 hexadecimal digits")]
pub struct BadHash;

/// Digits of either case, as other systems write them.
impl FromStr for SecretHash {
    type Err = BadHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(BadHash);
        }
        let value = |digit: u8| char::from(digit).to_digit(16).ok_or(BadHash);
        let mut hash = [0_u8; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let both = value(pair[0])? << 4 | value(pair[1])?;
            *byte = u8::try_from(both).map_err(|_| BadHash)?;
        }
        Ok(Self(hash))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(redacted)")
    }
}

impl Serialize for SecretHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(64);
        for byte in self.0 {
            text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
            text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for SecretHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.bytes().any(|digit| digit.is_ascii_uppercase()) {
            return Err(de::Error::custom("a hash has lower-case digits"));
        }
        text.parse().map_err(de::Error::custom)
    }
}

/// The presented text is not one of our tokens; nothing needs to be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token: wrong shape or checksum")]
pub struct Malformed;

/// Checks the shape of a presented token but for its checksum, without allocating.
///
/// # Errors
/// [`Malformed`] if brand, environment, length or alphabet is wrong.
pub fn check_form(token: &[u8], brand: &Brand) -> Result<Environment, Malformed> {
    let (environment, body) = split(token, brand).ok_or(Malformed)?;
    if body.len() != SECRET_CHARACTERS + CHECKSUM_CHARACTERS
        || !body.iter().all(u8::is_ascii_alphanumeric)
    {
        return Err(Malformed);
    }
    Ok(environment)
}

/// Checks shape and checksum of a presented token, without allocating.
///
/// # Errors
/// [`Malformed`] if brand, environment, length, alphabet or checksum is wrong.
pub fn check_shape(token: &[u8], brand: &Brand) -> Result<Environment, Malformed> {
    let environment = check_form(token, brand)?;
    let (signed, sum) = token.split_at(token.len() - CHECKSUM_CHARACTERS);
    if bool::from(checksum(signed).ct_eq(sum)) {
        Ok(environment)
    } else {
        Err(Malformed)
    }
}

/// Whether the text begins like a token of ours, whatever follows.
pub(crate) fn is_own(text: &[u8], brand: &Brand) -> bool {
    split(text, brand).is_some()
}

/// The environment that brand and name tell, and what follows them.
fn split<'a>(token: &'a [u8], brand: &Brand) -> Option<(Environment, &'a [u8])> {
    let rest = token.strip_prefix(brand.as_str().as_bytes())?;
    if let Some(body) = rest.strip_prefix(b"_live_") {
        Some((Environment::Live, body))
    } else {
        let body = rest.strip_prefix(b"_test_")?;
        Some((Environment::Test, body))
    }
}

fn checksum(signed: &[u8]) -> [u8; CHECKSUM_CHARACTERS] {
    let mut rest = crc32fast::hash(signed);
    let mut digits = [b'0'; CHECKSUM_CHARACTERS];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brand() -> Brand {
        "tk".parse().unwrap()
    }

    fn counting(bytes: &mut [u8]) {
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = index as u8;
        }
    }

    #[test]
    fn the_format_is_frozen() {
        let secret = TokenSecret::generate(&brand(), Environment::Live, counting);
        assert_eq!(
            secret.expose(),
            "tk_live_0123456789ABCDEFGHIJKLMNOPQRSTUV2cCqD6"
        );
        assert_eq!(secret.prefix(), "tk_live_0123");
        assert_eq!(
            serde_json::to_string(&secret.hash()).unwrap(),
            "\"66031921d9acdcf3da97eb9ab2a0e7daf32c8e425de0b6f8277b7c708561d063\""
        );
        assert_eq!(
            check_shape(secret.expose().as_bytes(), &brand()),
            Ok(Environment::Live)
        );
    }

    #[test]
    fn every_single_character_matters() {
        let secret = TokenSecret::generate(&brand(), Environment::Test, counting);
        let good = secret.expose().as_bytes();
        assert_eq!(check_shape(good, &brand()), Ok(Environment::Test));
        for index in 0..good.len() {
            let mut bad = good.to_vec();
            bad[index] = if bad[index] == b'x' { b'y' } else { b'x' };
            assert_eq!(check_shape(&bad, &brand()), Err(Malformed), "at {index}");
            assert_eq!(check_shape(&good[..index], &brand()), Err(Malformed));
        }
        assert_eq!(
            check_shape(&[good, b"0"].concat(), &brand()),
            Err(Malformed)
        );
    }

    #[test]
    fn unfair_random_bytes_are_not_used() {
        let secret = TokenSecret::generate(&brand(), Environment::Live, |bytes| {
            bytes.fill(255);
            bytes[0] = 61;
        });
        assert!(
            secret
                .expose()
                .starts_with(&format!("tk_live_{}", "z".repeat(32)))
        );
    }

    #[test]
    fn debug_output_shows_neither_secret_nor_hash() {
        let secret = TokenSecret::generate(&brand(), Environment::Live, counting);
        let shown = format!("{secret:?} {:?}", secret.hash());
        assert_eq!(shown, "TokenSecret(redacted) SecretHash(redacted)");
    }

    #[test]
    fn a_hash_survives_json_and_refuses_other_text() {
        let hash = SecretHash::of(b"anything");
        let json = serde_json::to_string(&hash).unwrap();
        assert_eq!(serde_json::from_str::<SecretHash>(&json).unwrap(), hash);
        for bad in [
            "\"\"",
            "\"zz\"",
            &json.to_uppercase(),
            "5",
            &format!("\"+{}\"", &json[2..65]),
        ] {
            assert!(serde_json::from_str::<SecretHash>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_hash_is_read_from_digits_of_either_case() {
        let hash = SecretHash::of(b"anything");
        let json = serde_json::to_string(&hash).unwrap();
        let digits = json.trim_matches('"');
        assert_eq!(digits.parse(), Ok(hash));
        assert_eq!(digits.to_uppercase().parse(), Ok(hash));
        let odd = format!("+{}", &digits[1..]);
        let wide = format!("{}é", &digits[..62]);
        for bad in ["", &digits[1..], &odd, &wide, &format!("{digits}0")] {
            assert_eq!(bad.parse::<SecretHash>(), Err(BadHash), "{bad}");
        }
    }

    #[test]
    fn brands_are_short_and_plain() {
        for bad in ["", "t", "TK", "t_k", "ninechars", "tk-"] {
            assert_eq!(bad.parse::<Brand>(), Err(BadBrand), "{bad}");
        }
        assert!("acme2".parse::<Brand>().is_ok());
    }
}
