//! Where the broker is.

use async_nats::ServerAddr;

use super::names::{Binary, DefaultValue, Setting};
use super::{Secret, SettingsError, Source};

pub(super) const NATS_URL: Setting = Setting {
    name: "NATS_URL",
    default: DefaultValue::None,
    meaning: "NATS 2.10 or newer with JetStream; several servers of one cluster separated by \
              commas. `tls://` demands TLS.",
    secret: true,
    read_by: &[Binary::Api, Binary::Ingestor, Binary::Ctl],
    example: "nats://localhost:4222",
};

pub(super) const NATS_CREDENTIALS: Setting = Setting {
    name: "NATS_CREDENTIALS",
    default: DefaultValue::None,
    meaning: "The content of a NATS `.creds` file (user JWT and seed). Give the path with \
              `_FILE`.",
    secret: true,
    read_by: &[Binary::Api, Binary::Ingestor, Binary::Ctl],
    example: "",
};

/// The NATS servers and how to log in.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// The servers; a URL may hold a user and a password.
    pub servers: Secret,
    /// The content of a credentials file.
    pub credentials: Option<Secret>,
}

impl BrokerSettings {
    /// # Errors
    /// When the servers are missing or not URLs.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let settings = Self {
            servers: source.required(&NATS_URL)?,
            credentials: source.optional(&NATS_CREDENTIALS)?,
        };
        match settings.addresses() {
            Ok(_) => Ok(settings),
            Err(_) => Err(source.invalid(&NATS_URL, "expected nats:// or tls:// URLs")),
        }
    }

    /// The servers as the client takes them.
    pub(crate) fn addresses(&self) -> std::io::Result<Vec<ServerAddr>> {
        self.servers
            .expose()
            .split(',')
            .map(|server| server.trim().parse())
            .collect()
    }
}
