//! Signatures as Standard Webhooks 1.0 wants them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::webhooks::secret::SigningSecret;

/// The value of `webhook-signature`: one signature for each secret, with spaces between them.
pub(super) fn signatures(
    secrets: &[SigningSecret],
    id: &str,
    timestamp: i64,
    body: &[u8],
) -> String {
    let signed = secrets
        .iter()
        .map(|secret| sign(secret.bytes(), id, timestamp, body));
    signed.collect::<Vec<_>>().join(" ")
}

/// `v1,` and the base64 of the HMAC-SHA256 over `id.timestamp.body`.
fn sign(secret: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use standardwebhooks::Webhook;

    use super::*;

    #[test]
    fn it_signs_as_the_standards_own_example_does() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signed = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    proptest! {
        #[test]
        fn it_signs_as_the_standards_own_library_does(
            secret in any::<[u8; 32]>(), id in "[a-z0-9_-]{1,40}", timestamp: i64, body in ".{0,200}",
        ) {
            let theirs = Webhook::from_bytes(secret.to_vec()).unwrap();
            let theirs = theirs.sign(&id, timestamp, body.as_bytes()).unwrap();
            prop_assert_eq!(sign(&secret, &id, timestamp, body.as_bytes()), theirs);
        }
    }
}
