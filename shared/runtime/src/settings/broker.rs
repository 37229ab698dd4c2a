//! Where the broker is.

use std::path::PathBuf;

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

pub(super) const NATS_CA: Setting = Setting {
    name: "NATS_CA",
    default: DefaultValue::None,
    meaning: "A PEM file with the authorities that the NATS servers' certificates may come from, in place of \
              those that the system trusts. With it every connection is by TLS.",
    secret: false,
    read_by: &[Binary::Api, Binary::Ingestor, Binary::Ctl],
    example: "/etc/tollkeeper/nats-ca.crt",
};

pub(super) const NATS_REPLICAS: Setting = Setting {
    name: "NATS_REPLICAS",
    default: DefaultValue::None,
    meaning: "On how many servers of a NATS cluster each stream is kept, 1 to 5; with 3, one may fail. \
              `tollkeeper nats` raises or lowers what is there to it. It has to be set where the broker \
              is a cluster; a server by itself keeps one copy.",
    secret: false,
    read_by: &[Binary::Ctl],
    example: "3",
};

/// The NATS servers and how to log in.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// The servers; a URL may hold a user and a password.
    pub servers: Secret,
    /// The content of a credentials file.
    pub credentials: Option<Secret>,
    /// The authorities of the servers' certificates, if not those that the system trusts.
    pub authorities: Option<PathBuf>,
}

impl BrokerSettings {
    /// # Errors
    /// When the servers are missing or not URLs.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let settings = Self {
            servers: source.required(&NATS_URL)?,
            credentials: source.optional(&NATS_CREDENTIALS)?,
            authorities: source.optional(&NATS_CA)?,
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

/// How the streams are to be kept.
#[derive(Debug, Clone, Copy, Default)]
pub struct StreamSettings {
    /// On how many servers of a cluster, if it was said.
    pub replicas: Option<usize>,
}

impl StreamSettings {
    /// # Errors
    /// When it is not a number that JetStream offers.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let replicas = source.optional(&NATS_REPLICAS)?;
        if replicas.is_some_and(|replicas| !(1..=5).contains(&replicas)) {
            return Err(source.invalid(&NATS_REPLICAS, "expected 1 to 5"));
        }
        Ok(Self { replicas })
    }
}
