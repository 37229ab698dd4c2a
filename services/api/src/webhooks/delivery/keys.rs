//! Which webhooks this process can sign for.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use uuid::Uuid;

use crate::seal::Sealer;
use crate::webhooks::secret::SigningSecret;
use crate::webhooks::store::queue::Keyring;
use crate::webhooks::store::secrets::Sealed;

/// The keys of this process, and the secrets that they do not open.
#[derive(Debug)]
pub(super) struct Keys {
    sealer: Option<Sealer>,
    headers: Vec<Vec<u8>>,
    /// Secrets that cannot be opened. They are left to others, and each is told of once.
    closed: Mutex<BTreeSet<Uuid>>,
}

impl Keys {
    pub(super) fn new(sealer: Option<Sealer>) -> Self {
        let headers = sealer.as_ref().map(Sealer::headers).unwrap_or_default();
        Self {
            sealer,
            headers,
            closed: Mutex::default(),
        }
    }

    /// The secrets that are known not to open.
    pub(super) fn closed(&self) -> Vec<Uuid> {
        self.closed.lock().iter().copied().collect()
    }

    /// What can be signed with, where these do not open.
    pub(super) fn ring<'a>(&'a self, closed: &'a [Uuid]) -> Keyring<'a> {
        Keyring {
            headers: &self.headers,
            closed,
        }
    }

    /// The secrets that sign; none if the current one cannot be opened.
    pub(super) fn open(&self, webhook: Uuid, sealed: &[Sealed]) -> Option<Vec<SigningSecret>> {
        let mut opened = Vec::new();
        let mut current = false;
        for row in sealed {
            let open = |sealer| SigningSecret::open(sealer, webhook, row.id, &row.sealed).ok();
            match self.sealer.as_ref().and_then(open) {
                Some(secret) => {
                    opened.push(secret);
                    current |= row.current;
                }
                None if self.closed.lock().insert(row.id) => {
                    tracing::error!(
                        %webhook,
                        "a signing secret cannot be opened: is its key still in \
                         TOLLKEEPER_SEAL_KEYS?"
                    );
                }
                None => {}
            }
        }
        current.then_some(opened)
    }

    /// Tells, once for each secret, of webhooks that nobody can sign for.
    pub(super) fn tell_of(&self, stranded: Vec<(Uuid, Uuid)>) {
        for (webhook, secret) in stranded {
            if self.closed.lock().insert(secret) {
                tracing::warn!(
                    %webhook,
                    "events wait, and no process has the key of the signing secret: is it still \
                     in TOLLKEEPER_SEAL_KEYS?"
                );
            }
        }
    }
}
