//! Seals what must be read again but not by whoever reads the database: XChaCha20-Poly1305 with a
//! random nonce, under the first of the configured keys.
//!
//! Sealed bytes carry the name of their key, so that keys can be replaced: the newest seals, all
//! open. They are bound to a purpose and an owner, so that a sealed value moved to another row opens
//! nowhere. Keys and plain text must never reach a log, an error or a debug output.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use tollkeeper_ambient::SharedEntropy;
use tollkeeper_runtime::settings::SealKey;
use zeroize::Zeroizing;

/// The first byte of all sealed bytes; another layout would have another.
const LAYOUT: u8 = 1;

const NONCE_BYTES: usize = 24;

/// What was sealed cannot be opened: its key is not configured, it was sealed for something else,
/// or it is damaged. Which of them is told to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what was sealed cannot be opened with the keys that are configured")]
pub struct CannotOpen;

/// Seals and opens.
#[derive(Clone)]
pub struct Sealer {
    keys: Vec<(String, XChaCha20Poly1305)>,
    entropy: SharedEntropy,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.keys.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

impl Sealer {
    /// A sealer with these keys, the newest first; none without a key.
    #[must_use]
    pub fn new(keys: &[SealKey], entropy: SharedEntropy) -> Option<Self> {
        let ready = |key: &SealKey| {
            let cipher = XChaCha20Poly1305::new(&Key::from(*key.key));
            (key.name.clone(), cipher)
        };
        let keys: Vec<_> = keys.iter().map(ready).collect();
        (!keys.is_empty()).then_some(Self { keys, entropy })
    }

    /// What sealed bytes begin with that one of the keys has sealed.
    pub(crate) fn headers(&self) -> Vec<Vec<u8>> {
        self.keys.iter().map(|(name, _)| header(name)).collect()
    }

    /// Seals `plain`, to be opened with the same `aad` alone: the purpose and the owner.
    ///
    /// # Panics
    /// If `plain` is larger than the cipher can take, which is 256 GiB.
    #[must_use]
    pub fn seal(&self, aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let (name, cipher) = &self.keys[0];
        let mut nonce = [0_u8; NONCE_BYTES];
        self.entropy.fill(&mut nonce);
        let mut sealed = header(name);
        let bound = bound(&sealed, aad);
        let payload = Payload {
            msg: plain,
            aad: &bound,
        };
        let encrypted = cipher.encrypt(&XNonce::from(nonce), payload);
        sealed.extend(nonce);
        sealed.extend(encrypted.expect("what is sealed is smaller than 256 GiB"));
        sealed
    }

    /// Opens what was sealed with the same `aad`.
    ///
    /// # Errors
    /// [`CannotOpen`], whatever the reason.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
        let (name, nonce, encrypted) = parts(sealed).ok_or(CannotOpen)?;
        let known = self.keys.iter().find(|(known, _)| known.as_bytes() == name);
        let (name, cipher) = known.ok_or(CannotOpen)?;
        let bound = bound(&header(name), aad);
        let payload = Payload {
            msg: encrypted,
            aad: &bound,
        };
        let plain = cipher.decrypt(&XNonce::from(nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| CannotOpen)
    }
}

/// The layout and the key's name, at most 50 bytes as settings want it.
fn header(name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    let mut header = vec![LAYOUT, length];
    header.extend_from_slice(&name.as_bytes()[..length.into()]);
    header
}

/// The header says its own length, so no two pairs run together into the same bytes.
fn bound(header: &[u8], aad: &[u8]) -> Vec<u8> {
    [header, aad].concat()
}

/// The key's name, the nonce, and what is encrypted.
fn parts(sealed: &[u8]) -> Option<(&[u8], [u8; NONCE_BYTES], &[u8])> {
    let (&[layout, length], rest) = sealed.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(length.into())?;
    let (nonce, encrypted) = rest.split_first_chunk::<NONCE_BYTES>()?;
    (layout == LAYOUT).then_some((name, *nonce, encrypted))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use tollkeeper_ambient::SystemEntropy;

    use super::*;

    fn key(name: &str, seed: u8) -> SealKey {
        SealKey {
            name: name.to_owned(),
            key: Zeroizing::new([seed; 32]),
        }
    }

    fn sealer(keys: &[SealKey]) -> Sealer {
        Sealer::new(keys, Arc::new(SystemEntropy)).unwrap()
    }

    #[test]
    fn without_a_key_there_is_no_sealer() {
        assert!(Sealer::new(&[], Arc::new(SystemEntropy)).is_none());
    }

    #[test]
    fn it_opens_for_the_same_purpose_and_owner_alone() {
        let sealer = sealer(&[key("a", 1)]);
        let sealed = sealer.seal(b"webhook 1", b"secret");
        let opened = sealer.open(b"webhook 1", &sealed).unwrap();
        assert_eq!(opened.as_slice(), b"secret");
        assert_eq!(sealer.open(b"webhook 2", &sealed), Err(CannotOpen));
        assert_eq!(sealer.open(b"", &sealed), Err(CannotOpen));
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_ne!(sealed, sealer.seal(b"webhook 1", b"secret"), "a new nonce");
    }

    #[test]
    fn keys_can_be_replaced() {
        let old = sealer(&[key("old", 1)]);
        let sealed = old.seal(b"x", b"secret");
        let both = sealer(&[key("new", 2), key("old", 1)]);
        assert_eq!(both.open(b"x", &sealed).unwrap().as_slice(), b"secret");
        let resealed = both.seal(b"x", b"secret");
        let new = sealer(&[key("new", 2)]);
        assert_eq!(new.open(b"x", &resealed).unwrap().as_slice(), b"secret");
        assert_eq!(new.open(b"x", &sealed), Err(CannotOpen));
        // The name alone opens nothing.
        assert_eq!(
            sealer(&[key("old", 3)]).open(b"x", &sealed),
            Err(CannotOpen)
        );
    }

    #[test]
    fn sealed_bytes_tell_which_key_has_sealed_them() {
        let (one, two) = (sealer(&[key("a", 1)]), sealer(&[key("ab", 1)]));
        let sealed = two.seal(b"x", b"secret");
        let begins = |header: &Vec<u8>| sealed.starts_with(header);
        assert!(two.headers().iter().all(begins));
        assert!(!one.headers().iter().any(begins), "a longer name");
    }

    #[test]
    fn debug_output_shows_names_alone() {
        assert_eq!(format!("{:?}", sealer(&[key("a", 7)])), r#"["a"]"#);
    }

    #[test]
    fn one_changed_byte_opens_nothing() {
        let sealer = sealer(&[key("a", 1), key("b", 1)]);
        let sealed = sealer.seal(b"x", b"secret");
        for place in 0..sealed.len() {
            // The name `a` becomes `c`, and the others anything.
            let mut changed = sealed.clone();
            changed[place] ^= 2;
            assert_eq!(sealer.open(b"x", &changed), Err(CannotOpen), "{place}");
            assert_eq!(sealer.open(b"x", &sealed[..place]), Err(CannotOpen));
        }
        // The same key under another name: the name is bound too.
        let mut renamed = sealed;
        renamed[2] = b'b';
        assert_eq!(sealer.open(b"x", &renamed), Err(CannotOpen));
    }

    proptest! {
        #[test]
        fn anything_opens_again(aad in any::<Vec<u8>>(), plain in any::<Vec<u8>>()) {
            let sealer = sealer(&[key("a", 1)]);
            let opened = sealer.open(&aad, &sealer.seal(&aad, &plain));
            prop_assert_eq!(opened.map(|it| it.to_vec()), Ok(plain));
        }

        #[test]
        fn garbage_never_opens(garbage in any::<Vec<u8>>()) {
            let opened = sealer(&[key("a", 1)]).open(b"", &garbage);
            prop_assert_eq!(opened, Err(CannotOpen));
        }
    }
}
