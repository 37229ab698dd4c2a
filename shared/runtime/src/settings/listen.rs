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

pub(super) const MAX_CONNECTIONS: Setting = Setting {
    name: "MAX_CONNECTIONS",
    default: DefaultValue::Same("16384"),
    meaning: "The most connections of the public listener at a time, at least 16; fewer where the \
              system lets the process open fewer files. Beyond it new ones wait, and the silent are \
              closed.",
    secret: false,
    read_by: &[Binary::Api],
    example: "",
};

/// The public listener, and that for gRPC where there is one.
#[derive(Debug, Clone, Copy)]
pub struct ListenSettings {
    pub address: SocketAddr,
    pub grpc: Option<SocketAddr>,
    pub connections: usize,
}

impl ListenSettings {
    /// # Errors
    /// When one is not an address with a port, or connections are too few.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let connections: u32 = source.required(&MAX_CONNECTIONS)?;
        if connections < 16 {
            return Err(source.invalid(&MAX_CONNECTIONS, "expected at least 16"));
        }
        Ok(Self {
            connections: connections.try_into().unwrap_or(usize::MAX),
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
