//! TLS of the public listener: who it is, read again when the files change.
//!
//! Whoever renews certificates writes files and need not know of this process. What cannot be used, as
//! when only one of the two files is written yet, is left alone: the identity that works goes on.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tollkeeper_runtime::settings::TlsFiles;
use tollkeeper_telemetry::http::CERTIFICATE_EXPIRY;
use x509_parser::parse_x509_certificate;

/// How often the files are looked at. Notifications would miss files on some mounts.
const LOOK: Duration = Duration::from_secs(2);

/// What a client may take to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Why an identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not there, or may not be read.
    #[error("{setting}: {path}: {reason}")]
    File {
        /// The variable that names the file.
        setting: &'static str,
        /// Where it should be.
        path: String,
        /// What the system says.
        #[source]
        reason: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{setting}: {reason}")]
    Pem {
        /// The variable that names the file.
        setting: &'static str,
        /// What is wrong.
        #[source]
        reason: pem::Error,
    },
    /// The first certificate is none.
    #[error("TOLLKEEPER_TLS_CERT: the first certificate cannot be read: {0}")]
    Certificate(String),
    /// They do not belong together, or the key is of a kind that is not known.
    #[error("TOLLKEEPER_TLS_CERT and TOLLKEEPER_TLS_KEY: {0}")]
    Pair(#[from] rustls::Error),
}

/// Who the listener is. Clones share it.
#[derive(Clone)]
pub struct Identity {
    files: TlsFiles,
    current: Arc<Current>,
    acceptor: TlsAcceptor,
}

/// The certificate and the key that are shown to whoever connects now.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// The files as they are at one moment.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// A certificate with its key.
struct Pair {
    key: Arc<CertifiedKey>,
    /// When the certificate expires, in seconds since the Unix epoch.
    expiry: i64,
}

impl Identity {
    /// Reads it for the first time.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn read(files: TlsFiles) -> Result<Self, TlsError> {
        let pair = Contents::read(&files)?.pair()?;
        pair.tell_expiry();
        let current = Arc::new(Current(ArcSwap::new(pair.key)));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            files,
            current,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    /// Takes on what the files say when they change, until `stop`.
    pub async fn follow(self, stop: CancellationToken) {
        let mut seen = None;
        while !stop.is_cancelled() {
            let files = self.files.clone();
            // Files may be on a mount that hangs.
            let found = tokio::task::spawn_blocking(move || Contents::read(&files)).await;
            if let Ok(found) = found {
                let found = found.map_err(|error| error.to_string());
                if seen.as_ref() != Some(&found) {
                    self.take_on(&found);
                    seen = Some(found);
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    fn take_on(&self, found: &Result<Contents, String>) {
        let pair = match found {
            Ok(contents) => contents.pair().map_err(|error| error.to_string()),
            Err(error) => Err(error.clone()),
        };
        match pair {
            Ok(pair) => {
                pair.tell_expiry();
                self.current.0.store(pair.key);
                tracing::info!(
                    expiry = pair.expiry,
                    "the public listener's certificate is read"
                );
            }
            Err(error) => {
                tracing::error!(error, "the public listener's certificate stays as it was");
            }
        }
    }

    /// Agrees with a client on keys, if it does in time.
    pub(super) fn greet(
        &self,
        stream: TcpStream,
    ) -> impl Future<Output = Option<TlsStream<TcpStream>>> + Send + use<> {
        let greeting = self.acceptor.accept(stream);
        async move {
            match timeout(HANDSHAKE, greeting).await {
                Ok(Ok(stream)) => Some(stream),
                Ok(Err(error)) => {
                    tracing::trace!(%error, "no agreement on keys");
                    None
                }
                Err(_) => None,
            }
        }
    }
}

impl Contents {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let file = |setting, path: &Path| {
            fs::read(path).map_err(|reason| TlsError::File {
                setting,
                path: path.display().to_string(),
                reason,
            })
        };
        Ok(Self {
            certificate: file("TOLLKEEPER_TLS_CERT", &files.certificate)?,
            key: file("TOLLKEEPER_TLS_KEY", &files.key)?,
        })
    }

    /// Certificate and key, if they belong together.
    fn pair(&self) -> Result<Pair, TlsError> {
        let pem = |setting| move |reason| TlsError::Pem { setting, reason };
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(pem("TOLLKEEPER_TLS_CERT"))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(pem("TOLLKEEPER_TLS_KEY"))?;
        let none = || TlsError::Certificate("there is none".to_owned());
        let (_, first) = parse_x509_certificate(chain.first().ok_or_else(none)?)
            .map_err(|error| TlsError::Certificate(error.to_string()))?;
        let expiry = first.validity().not_after.timestamp();
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider())?;
        Ok(Pair {
            key: Arc::new(key),
            expiry,
        })
    }
}

impl Pair {
    fn tell_expiry(&self) {
        CERTIFICATE_EXPIRY.handle().set(self.expiry as f64);
    }
}
