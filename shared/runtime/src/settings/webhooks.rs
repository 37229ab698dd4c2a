//! Where webhooks may be sent to.

use super::names::{Binary, DefaultValue, Setting};
use super::{NetworkList, SettingsError, Source};

pub(super) const WEBHOOK_ALLOWED_NETWORKS: Setting = Setting {
    name: "WEBHOOK_ALLOWED_NETWORKS",
    default: DefaultValue::None,
    meaning: "Networks (CIDR, comma-separated) that webhooks may be sent to although their \
              addresses are not public, and by `http://` too. Without it webhooks go to public \
              addresses by `https://` only.",
    secret: false,
    read_by: &[Binary::Api],
    example: "10.20.0.0/16",
};

/// Where webhooks may be sent to.
#[derive(Debug, Clone, Default)]
pub struct WebhookSettings {
    /// Beside public addresses.
    pub allowed_networks: NetworkList,
}

impl WebhookSettings {
    /// # Errors
    /// When a network does not parse.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let networks = source.optional(&WEBHOOK_ALLOWED_NETWORKS)?;
        Ok(Self {
            allowed_networks: networks.unwrap_or_default(),
        })
    }
}
