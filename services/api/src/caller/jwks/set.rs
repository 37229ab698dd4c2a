//! A set of public keys (RFC 7517), read strictly: what is not a good key for one of the accepted
//! algorithms is left out, so that no JWT can choose it.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, EllipticCurveKeyParameters, Jwk, KeyAlgorithm,
    KeyOperations, OctetKeyPairParameters, PublicKeyUse, RSAKeyParameters,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use p256::ecdsa::VerifyingKey;
use serde::Deserialize;
use serde_json::Value;

/// RFC 7518, section 3.3.
const RSA_MIN_BITS: usize = 2048;

/// Longer moduli cost whoever checks more than they are worth, and are not supported.
const RSA_MAX_BITS: usize = 4096;

/// A `kid` beyond this is no name.
const MAX_KID_BYTES: usize = 255;

/// Why a text is not a set with a usable key. Says nothing of what the text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSet {
    /// Not of the form of RFC 7517, section 5.
    #[error("it is not a JWK set: an object with the array `keys`")]
    Form,
    /// No key of it can be used.
    #[error("none of its {0} keys can be used")]
    NoUsableKey(usize),
}

/// Why a key is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadKey {
    #[error("it cannot be read as a key")]
    Form,
    #[error("it has no `kid` of 1 to {MAX_KID_BYTES} bytes")]
    Kid,
    #[error("another key of the set has the same `kid`")]
    Twice,
    #[error("it holds the private part of a key pair")]
    Private,
    #[error("it is a shared secret")]
    Symmetric,
    #[error("it is not for signatures")]
    Use,
    #[error("it is for an algorithm that is not accepted")]
    Algorithm,
    #[error("its type is not accepted")]
    Type,
    #[error("its modulus is not of {RSA_MIN_BITS} to {RSA_MAX_BITS} bits, or its exponent is bad")]
    Rsa,
    #[error("it is no point of its curve")]
    Point,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// A public key and the algorithms whose signatures it may check.
struct PublicKey {
    key: DecodingKey,
    algorithms: Vec<Algorithm>,
}

/// Public keys by `kid`.
pub(crate) struct KeySet {
    keys: HashMap<String, PublicKey>,
    /// What was left out: the place in the set, from 1 on, and why.
    pub(crate) left_out: Vec<(usize, BadKey)>,
    /// What it was read from.
    text: Box<[u8]>,
}

impl KeySet {
    /// Reads a set.
    ///
    /// # Errors
    /// [`BadSet`] if it is none, or no key of it can be used.
    pub(crate) fn read(text: &[u8]) -> Result<Self, BadSet> {
        let document: Document = serde_json::from_slice(text).map_err(|_| BadSet::Form)?;
        let count = document.keys.len();
        let mut uses: HashMap<String, usize> = HashMap::new();
        for key in &document.keys {
            if let Some(kid) = key["kid"].as_str() {
                *uses.entry(kid.to_owned()).or_default() += 1;
            }
        }
        let mut set = Self {
            keys: HashMap::new(),
            left_out: Vec::new(),
            text: text.into(),
        };
        for (number, value) in (1..).zip(document.keys) {
            match read_key(value) {
                // None of them: which one was meant nobody can tell.
                Ok((kid, _)) if uses.get(&kid).is_some_and(|uses| *uses > 1) => {
                    set.left_out.push((number, BadKey::Twice));
                }
                Ok((kid, key)) => {
                    set.keys.insert(kid, key);
                }
                Err(why) => set.left_out.push((number, why)),
            }
        }
        if set.keys.is_empty() {
            Err(BadSet::NoUsableKey(count))
        } else {
            Ok(set)
        }
    }

    /// The key of this name, if it is for this algorithm.
    pub(crate) fn find(&self, kid: &str, algorithm: Algorithm) -> Option<&DecodingKey> {
        let found = self.keys.get(kid);
        found
            .filter(|key| key.algorithms.contains(&algorithm))
            .map(|key| &key.key)
    }

    /// Whether there is a key of this name, for whatever algorithm.
    pub(crate) fn names(&self, kid: &str) -> bool {
        self.keys.contains_key(kid)
    }

    /// Whether both were read from the same text.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.text == other.text
    }

    /// How many keys can be used.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}

fn read_key(value: Value) -> Result<(String, PublicKey), BadKey> {
    if value.get("d").is_some() {
        return Err(BadKey::Private);
    }
    let jwk: Jwk = serde_json::from_value(value).map_err(|_| BadKey::Form)?;
    let kid = jwk.common.key_id.clone();
    let kid = kid.filter(|kid| (1..=MAX_KID_BYTES).contains(&kid.len()));
    let kid = kid.ok_or(BadKey::Kid)?;
    let for_signatures = match (&jwk.common.public_key_use, &jwk.common.key_operations) {
        (Some(usage), _) if *usage != PublicKeyUse::Signature => false,
        (_, Some(operations)) => operations.contains(&KeyOperations::Verify),
        _ => true,
    };
    if !for_signatures {
        return Err(BadKey::Use);
    }
    let possible = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => check_rsa(rsa)?,
        AlgorithmParameters::EllipticCurve(point) => check_ec(point)?,
        AlgorithmParameters::OctetKeyPair(point) => check_ed(point)?,
        AlgorithmParameters::OctetKey(_) => return Err(BadKey::Symmetric),
        _ => return Err(BadKey::Type),
    };
    let algorithms: Vec<Algorithm> = match jwk.common.key_algorithm {
        None => possible.to_vec(),
        Some(own) => {
            let named = possible.iter().copied();
            named.filter(|it| KeyAlgorithm::from(*it) == own).collect()
        }
    };
    if algorithms.is_empty() {
        return Err(BadKey::Algorithm);
    }
    let key = DecodingKey::from_jwk(&jwk).map_err(|_| BadKey::Form)?;
    Ok((kid, PublicKey { key, algorithms }))
}

fn decoded(text: &str) -> Result<Vec<u8>, BadKey> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| BadKey::Form)
}

fn check_rsa(rsa: &RSAKeyParameters) -> Result<&'static [Algorithm], BadKey> {
    let (modulus, exponent) = (decoded(&rsa.n)?, decoded(&rsa.e)?);
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let bits = match modulus.get(zeros) {
        Some(first) => (modulus.len() - zeros) * 8 - first.leading_zeros() as usize,
        None => 0,
    };
    let odd = |bytes: &[u8]| bytes.last().is_some_and(|byte| byte % 2 == 1);
    let at_least_three = exponent.len() > 1 || exponent.first() >= Some(&3);
    let good_exponent = exponent.len() <= 4 && odd(&exponent) && at_least_three;
    if (RSA_MIN_BITS..=RSA_MAX_BITS).contains(&bits) && odd(&modulus) && good_exponent {
        Ok(&[Algorithm::RS256, Algorithm::PS256])
    } else {
        Err(BadKey::Rsa)
    }
}

fn check_ec(point: &EllipticCurveKeyParameters) -> Result<&'static [Algorithm], BadKey> {
    if point.curve != EllipticCurve::P256 {
        return Err(BadKey::Algorithm);
    }
    let (x, y) = (decoded(&point.x)?, decoded(&point.y)?);
    if (x.len(), y.len()) != (32, 32) {
        return Err(BadKey::Point);
    }
    let encoded = [&[4_u8][..], &x, &y].concat();
    VerifyingKey::from_sec1_bytes(&encoded).map_err(|_| BadKey::Point)?;
    Ok(&[Algorithm::ES256])
}

fn check_ed(point: &OctetKeyPairParameters) -> Result<&'static [Algorithm], BadKey> {
    if point.curve != EllipticCurve::Ed25519 {
        return Err(BadKey::Algorithm);
    }
    if decoded(&point.x)?.len() != 32 {
        return Err(BadKey::Point);
    }
    Ok(&[Algorithm::EdDSA])
}
