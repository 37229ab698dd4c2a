//! The secrets of one folder, made once.

use serde::{Deserialize, Serialize};
use tollkeeper_ambient::{Entropy, SystemEntropy};
use tollkeeper_runtime::settings::Secret;

use super::error::Error;
use super::folder::Folder;

const FILE: &str = "secrets.json";

/// The name of the operator whose key is made here.
const OPERATOR: &str = "up";

#[derive(Debug, Clone)]
pub(super) struct Secrets {
    pub(super) postgres_password: Secret,
    pub(super) nats_password: Secret,
    pub(super) operator_key: Secret,
}

#[derive(Serialize, Deserialize)]
struct OnDisk {
    postgres_password: String,
    nats_password: String,
    operator_key: String,
}

impl Secrets {
    pub(super) fn load_or_make(folder: &Folder) -> Result<Self, Error> {
        let wrap = |reason| Error::Secrets {
            path: folder.join(FILE),
            reason,
        };
        let stored = match folder.read(FILE)? {
            Some(text) => serde_json::from_str(&text).map_err(wrap)?,
            None => {
                let made = OnDisk {
                    postgres_password: random(),
                    nats_password: random(),
                    operator_key: random(),
                };
                let text = serde_json::to_string_pretty(&made).map_err(wrap)?;
                folder.write_private(FILE, &text)?;
                made
            }
        };
        Ok(Self {
            postgres_password: Secret::new(stored.postgres_password),
            nats_password: Secret::new(stored.nats_password),
            operator_key: Secret::new(stored.operator_key),
        })
    }

    /// The value of `TOLLKEEPER_OPERATOR_KEY`: ours, beside those the environment names.
    pub(super) fn operator_keys(&self, others: Option<String>) -> String {
        let ours = format!("{OPERATOR}:{}", self.operator_key.expose());
        match others.filter(|others| !others.is_empty()) {
            Some(others) => format!("{ours},{others}"),
            None => ours,
        }
    }
}

/// 256 random bits.
fn random() -> String {
    let mut bytes = [0_u8; 32];
    SystemEntropy.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
