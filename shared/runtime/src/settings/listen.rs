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

pub(super) const GRPC_LISTEN: Setting = Setting {
    name: "GRPC_LISTEN",
    default: DefaultValue::None,
    meaning: "Envoy's `ext_authz` over gRPC. Not offered unless it is set.",
    secret: false,
    read_by: &[Binary::Api],
    example: "127.0.0.1:8083",
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

/// The public listener, and that for gRPC where there is one.
#[derive(Debug, Clone, Copy)]
pub struct ListenSettings {
    pub address: SocketAddr,
    pub grpc: Option<SocketAddr>,
}

impl ListenSettings {
    /// # Errors
    /// When one is not an address with a port.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        Ok(Self {
            address: source.required(&LISTEN)?,
            grpc: source.optional(&GRPC_LISTEN)?,
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
