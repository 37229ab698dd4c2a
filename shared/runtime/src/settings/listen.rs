//! Where a process listens.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::names::{Binary, DefaultValue, Setting};
use super::{SettingsError, Source};

pub(super) const LISTEN: Setting = Setting {
    name: "LISTEN",
    default: DefaultValue::Same("127.0.0.1:8080"),
    meaning: "Public HTTP of the API; HTTPS if it has a certificate.",
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
    read_by: &[Binary::Api, Binary::Ingestor, Binary::Ctl],
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

pub(super) const TLS_CERT: Setting = Setting {
    name: "TLS_CERT",
    default: DefaultValue::None,
    meaning: "A PEM file with the certificate of the public listener and those that lead from it to its \
              authority; the listener then speaks TLS alone. It is read again when it changes, \
              connections go on.",
    secret: false,
    read_by: &[Binary::Api],
    example: "/etc/tollkeeper/tls.crt",
};

pub(super) const TLS_KEY: Setting = Setting {
    name: "TLS_KEY",
    default: DefaultValue::None,
    meaning: "A PEM file with the private key of that certificate.",
    secret: false,
    read_by: &[Binary::Api],
    example: "/etc/tollkeeper/tls.key",
};

/// The public listener, and that for gRPC where there is one.
#[derive(Debug, Clone)]
pub struct ListenSettings {
    pub address: SocketAddr,
    pub grpc: Option<SocketAddr>,
    pub connections: usize,
    /// What the public listener proves who it is with, if it is to speak TLS.
    pub tls: Option<TlsFiles>,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// A PEM file with the certificate and those that lead from it to its authority.
    pub certificate: PathBuf,
    /// A PEM file with its private key.
    pub key: PathBuf,
}

impl TlsFiles {
    /// `None` where there is to be no TLS.
    fn read(source: &Source) -> Result<Option<Self>, SettingsError> {
        let certificate = source.optional(&TLS_CERT)?;
        match (certificate, source.optional(&TLS_KEY)?) {
            (Some(certificate), Some(key)) => Ok(Some(Self { certificate, key })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(source.invalid(&TLS_KEY, "expected the key of TLS_CERT")),
            (None, Some(_)) => {
                Err(source.invalid(&TLS_CERT, "expected the certificate of TLS_KEY"))
            }
        }
    }
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
            tls: TlsFiles::read(source)?,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_and_its_key_are_given_together() {
        let read = |pairs: &[(&str, &str)]| {
            let source = Source::from_pairs(Binary::Api, pairs.iter().copied());
            ListenSettings::read(&source.unwrap()).map(|settings| settings.tls)
        };
        let certificate = ("TOLLKEEPER_TLS_CERT", "tls.crt");
        let key = ("TOLLKEEPER_TLS_KEY", "tls.key");
        assert_eq!(read(&[]).unwrap(), None);
        let tls = TlsFiles {
            certificate: "tls.crt".into(),
            key: "tls.key".into(),
        };
        assert_eq!(read(&[certificate, key]).unwrap(), Some(tls));
        for (given, missing) in [
            (certificate, "TOLLKEEPER_TLS_KEY"),
            (key, "TOLLKEEPER_TLS_CERT"),
        ] {
            let error = read(&[given]).unwrap_err().to_string();
            assert!(error.contains(missing), "{error}");
        }
    }
}
