//! Whatever is presented as a token is either one of ours to the last character, or malformed.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use proptest::prelude::*;
use tollkeeper_domain::secret::{Brand, Environment, SecretHash, TokenSecret, check_shape};

fn brand() -> Brand {
    "tk".parse().unwrap()
}

fn secret(environment: Environment, random: &[u8]) -> TokenSecret {
    let at = std::cell::Cell::new(0);
    TokenSecret::generate(&brand(), environment, |bytes| {
        for byte in bytes {
            // Letters that are not fair are asked for again, so some must be.
            *byte = random[at.get() % random.len()] % 248;
            at.set(at.get() + 1);
        }
    })
}

fn environment() -> impl Strategy<Value = Environment> {
    prop_oneof![Just(Environment::Live), Just(Environment::Test)]
}

proptest! {
    #[test]
    fn every_generated_token_is_one(
        environment in environment(),
        random in prop::collection::vec(any::<u8>(), 32..64),
    ) {
        let secret = secret(environment, &random);
        let text = secret.expose();
        prop_assert_eq!(check_shape(text.as_bytes(), &brand()), Ok(environment));
        prop_assert!(text.starts_with(secret.prefix()));
        prop_assert_eq!(secret.hash(), SecretHash::of(text.as_bytes()));
        prop_assert!(check_shape(text.as_bytes(), &"ab".parse().unwrap()).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_none(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(check_shape(&bytes, &brand()).is_err());
    }

    #[test]
    fn the_right_shape_with_any_other_checksum_is_none(
        environment in environment(),
        random in prop::collection::vec(any::<u8>(), 32..64),
        sum in "[0-9A-Za-z]{6}",
    ) {
        let secret = secret(environment, &random);
        let (signed, own) = secret.expose().split_at(secret.expose().len() - 6);
        prop_assume!(own != sum);
        let other = [signed, &sum].concat();
        prop_assert!(check_shape(other.as_bytes(), &brand()).is_err());
    }

    #[test]
    fn a_token_with_one_byte_changed_added_or_missing_is_none(
        environment in environment(),
        random in prop::collection::vec(any::<u8>(), 32..64),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let secret = secret(environment, &random);
        let good = secret.expose().as_bytes();
        let at = at.index(good.len());
        let mut changed = good.to_vec();
        changed[at] = byte;
        if changed != good {
            prop_assert!(check_shape(&changed, &brand()).is_err());
        }
        changed.copy_from_slice(good);
        changed.insert(at, byte);
        prop_assert!(check_shape(&changed, &brand()).is_err());
        let mut shorter = good.to_vec();
        shorter.remove(at);
        prop_assert!(check_shape(&shorter, &brand()).is_err());
    }
}
