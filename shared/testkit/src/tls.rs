//! TLS in front of a server that speaks none.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::generate_simple_self_signed;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Speaks TLS as `localhost`, with a certificate that it has signed itself, and passes everything on
/// to another server. Ends when it is dropped.
#[derive(Debug)]
pub struct TlsFront {
    address: SocketAddr,
    certificate: String,
    task: JoinHandle<()>,
}

impl TlsFront {
    /// A front of the server at `upstream`.
    ///
    /// # Panics
    /// When there is no certificate to be made, or no port.
    pub async fn start(upstream: SocketAddr) -> Self {
        let made = generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("key and certificate belong together");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("the loopback has a free port");
        let address = listener.local_addr().expect("it listens");
        let task = tokio::spawn(async move {
            while let Ok((plain, _)) = listener.accept().await {
                tokio::spawn(serve(acceptor.clone(), plain, upstream));
            }
        });
        Self {
            address,
            certificate: made.cert.pem(),
            task,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The certificate, in PEM, for those who are to trust it.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(acceptor: TlsAcceptor, plain: TcpStream, upstream: SocketAddr) {
    // Clients that do not trust the certificate go away here.
    if let Ok(mut secured) = acceptor.accept(plain).await
        && let Ok(mut server) = TcpStream::connect(upstream).await
    {
        let _ended = tokio::io::copy_bidirectional(&mut secured, &mut server).await;
    }
}
