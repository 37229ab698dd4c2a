//! Where a process listens.

use std::net::SocketAddr;

use super::names::{Binary, DefaultValue, Setting};
use super::{SettingsError, Source};

pub(super) const LISTEN: Setting = Setting {
    name: "LISTEN",
    default: DefaultValue::Same("127.0.0.1:8080"),
    meaning: "Public HTTP of the API.",
    secret: false,
    read_by: &[Binary::Api, Binary::Ctl],
    example: "",
};

pub(super) const INTERNAL_LISTEN: Setting = Setting {
    name: "INTERNAL_LISTEN",
    default: DefaultValue::PerBinary(&[
        (Binary::Api, "127.0.0.1:8081"),
        (Binary::Ingestor, "127.0.0.1:8082"),
    ]),
    meaning: "`/livez`, `/readyz` and `/metrics`; never on the public port.",
    secret: false,
    read_by: &[Binary::Api, Binary::Ingestor],
    example: "",
};

/// The public listener.
#[derive(Debug, Clone, Copy)]
pub struct ListenSettings {
    pub address: SocketAddr,
}

impl ListenSettings {
    /// # Errors
    /// When it is not an address with a port.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        Ok(Self {
            address: source.required(&LISTEN)?,
        })
    }
}

/// The internal listener: health and metrics.
#[derive(Debug, Clone, Copy)]
pub struct InternalListenSettings {
    pub address: SocketAddr,
}

impl InternalListenSettings {
    /// # Errors
    /// When it is not an address with a port.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        Ok(Self {
            address: source.required(&INTERNAL_LISTEN)?,
        })
    }
}
