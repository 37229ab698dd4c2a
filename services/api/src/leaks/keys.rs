//! The keys that reports are signed with, and the check of a signature.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::DecodePublicKey;
use serde::Deserialize;

/// Far more than the keys of any partner take.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// Why there are no keys. Fit for the log.
#[derive(Debug, thiserror::Error)]
pub enum BadKeys {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    File(#[from] std::io::Error),
    /// The file is not of the form that is expected.
    #[error("it is not of the form {{\"public_keys\": [{{\"key_identifier\", \"key\"}}]}}: {0}")]
    Form(#[from] serde_json::Error),
    /// One of its keys is none.
    #[error("key {0} is not an ECDSA public key on P-256 in PEM")]
    Key(usize),
    /// It holds none.
    #[error("it holds no key")]
    Empty,
}

/// The form in which GitHub publishes its keys.
#[derive(Deserialize)]
struct Document {
    public_keys: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    key_identifier: String,
    key: String,
}

/// Public keys by their identifiers.
#[derive(Debug)]
pub struct Keys(Vec<(String, VerifyingKey)>);

impl Keys {
    /// Reads the keys from a file. A partner that replaces its keys is followed by replacing the
    /// file: it is read for every report, which are few.
    ///
    /// # Errors
    /// [`BadKeys`].
    pub fn read(path: &Path) -> Result<Self, BadKeys> {
        let mut text = Vec::new();
        File::open(path)?
            .take(MAX_FILE_BYTES)
            .read_to_end(&mut text)?;
        Self::parse(&text)
    }

    fn parse(text: &[u8]) -> Result<Self, BadKeys> {
        let document: Document = serde_json::from_slice(text)?;
        let read = document.public_keys.into_iter().enumerate();
        let keys = read.map(|(index, entry)| {
            let key = VerifyingKey::from_public_key_pem(&entry.key);
            key.map(|key| (entry.key_identifier, key))
                .map_err(|_| BadKeys::Key(index + 1))
        });
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() {
            Err(BadKeys::Empty)
        } else {
            Ok(Self(keys))
        }
    }

    /// Whether `signature`, the base64 of its DER form, is that of the key `identifier` over the
    /// SHA-256 of `body`.
    #[must_use]
    pub fn signed(&self, identifier: &[u8], signature: &[u8], body: &[u8]) -> bool {
        let Ok(der) = STANDARD.decode(signature) else {
            return false;
        };
        let Ok(signature) = Signature::from_der(&der) else {
            return false;
        };
        let mut keys = self.0.iter();
        keys.any(|(known, key)| {
            known.as_bytes() == identifier && key.verify(body, &signature).is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;
    use p256::ecdsa::signature::Signer;
    use p256::pkcs8::{EncodePublicKey, LineEnding};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn signer() -> SigningKey {
        SigningKey::from_slice(&[7; 32]).unwrap()
    }

    fn keys() -> Keys {
        let pem = signer().verifying_key().to_public_key_pem(LineEnding::LF);
        let text = json!({ "public_keys": [
            { "key_identifier": "one", "key": pem.unwrap(), "is_current": true }
        ]});
        Keys::parse(text.to_string().as_bytes()).unwrap()
    }

    fn sign(body: &[u8]) -> String {
        let signature: Signature = signer().sign(body);
        STANDARD.encode(signature.to_der())
    }

    #[test]
    fn bad_files_say_what_is_wrong() {
        let why = |text: &str| Keys::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(why("").contains("not of the form"));
        assert!(why("[]").contains("not of the form"));
        assert_eq!(why(r#"{"public_keys":[]}"#), "it holds no key");
        let bad = r#"{"public_keys":[{"key_identifier":"a","key":"-----BEGIN"}]}"#;
        assert!(why(bad).starts_with("key 1 is not"));
        assert!(Keys::read(Path::new("/nowhere/at/all")).is_err());
    }

    proptest! {
        #[test]
        fn what_was_signed_is_signed_and_nothing_else(
            body in any::<Vec<u8>>(),
            other in any::<Vec<u8>>(),
        ) {
            let signature = sign(&body);
            prop_assert!(keys().signed(b"one", signature.as_bytes(), &body));
            prop_assert!(!keys().signed(b"two", signature.as_bytes(), &body));
            prop_assume!(other != body);
            prop_assert!(!keys().signed(b"one", signature.as_bytes(), &other));
        }

        #[test]
        fn garbage_is_no_signature(garbage in any::<Vec<u8>>(), body in any::<Vec<u8>>()) {
            prop_assert!(!keys().signed(b"one", &garbage, &body));
            let encoded = STANDARD.encode(&garbage);
            prop_assert!(!keys().signed(b"one", encoded.as_bytes(), &body));
        }

        #[test]
        fn a_signature_with_one_byte_changed_is_none(
            body in any::<Vec<u8>>(),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u32,
        ) {
            let mut der = STANDARD.decode(sign(&body)).unwrap();
            let at = at.index(der.len());
            der[at] ^= 1 << bit;
            let changed = STANDARD.encode(&der);
            prop_assert!(!keys().signed(b"one", changed.as_bytes(), &body));
        }
    }
}
