//! What the deliveries of a webhook are signed with.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tollkeeper_ambient::SharedEntropy;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::seal::{CannotOpen, Sealer};

/// Standard Webhooks asks for 24 to 64 bytes.
const SECRET_BYTES: usize = 32;

/// A signing secret. Redacts itself.
pub(super) struct SigningSecret(Zeroizing<Vec<u8>>);

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(redacted)")
    }
}

impl SigningSecret {
    /// A new one.
    pub(super) fn generate(entropy: &SharedEntropy) -> Self {
        let mut bytes = Zeroizing::new(vec![0; SECRET_BYTES]);
        entropy.fill(&mut bytes);
        Self(bytes)
    }

    /// Its bytes, to sign with.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As its owner is shown it, this once.
    pub(super) fn shown(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("whsec_{}", STANDARD.encode(&*self.0)))
    }

    /// Sealed for the row `id` of this webhook.
    pub(super) fn seal(&self, sealer: &Sealer, webhook: Uuid, id: Uuid) -> Vec<u8> {
        sealer.seal(&purpose(webhook, id), &self.0)
    }

    /// Opens what was sealed for the row `id` of this webhook.
    pub(super) fn open(
        sealer: &Sealer,
        webhook: Uuid,
        id: Uuid,
        sealed: &[u8],
    ) -> Result<Self, CannotOpen> {
        sealer.open(&purpose(webhook, id), sealed).map(Self)
    }
}

fn purpose(webhook: Uuid, id: Uuid) -> Vec<u8> {
    [
        b"webhook signing secret",
        webhook.as_bytes().as_slice(),
        id.as_bytes(),
    ]
    .concat()
}
