//! TLS of the public listener.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::Certificate;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{Stack, TestAuthority, TestCertificate, wait_for, wait_for_some};

use crate::raw::head;

/// The files of a certificate and its key.
struct Files {
    folder: TempDir,
}

impl Files {
    fn of(certificate: &TestCertificate) -> Self {
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        files.write(certificate);
        files
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("tls.crt")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("tls.key")
    }

    fn write(&self, certificate: &TestCertificate) {
        fs::write(self.certificate(), &certificate.certificate).unwrap();
        fs::write(self.key(), &certificate.key).unwrap();
    }

    async fn api(&self, stack: &mut Stack, settings: &[(&str, &str)]) -> Node {
        let node = self.starting_api(stack, settings);
        node.ready().await;
        node
    }

    fn starting_api(&self, stack: &mut Stack, settings: &[(&str, &str)]) -> Node {
        let (certificate, key) = (self.certificate(), self.key());
        let own = [
            ("TOLLKEEPER_TLS_CERT", certificate.to_str().unwrap()),
            ("TOLLKEEPER_TLS_KEY", key.to_str().unwrap()),
        ];
        stack.starting_api(&[&own, settings].concat())
    }
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// A connection to a server that proves to be `localhost` by `authority`.
async fn connect(
    address: SocketAddr,
    authority: &TestAuthority,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(der(authority.certificate())).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = "localhost".try_into().unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let (_, session) = stream.get_ref();
    session.peer_certificates().unwrap()[0].clone().into_owned()
}

/// Asks without a credential over this connection; gives the status line.
async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    let request = "GET /v1/forward-auth HTTP/1.1\r\nHost: localhost\r\nAccept: a/b\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = head(stream).await;
    let length = head.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    tokio::io::AsyncReadExt::read_exact(stream, &mut body)
        .await
        .unwrap();
    head.lines().next().unwrap_or_default().to_owned()
}

/// Shown to new connections from now on.
async fn until_shown(api: &Node, authority: &TestAuthority, certificate: &TestCertificate) {
    wait_for("the new certificate to be shown", async || {
        let stream = connect(api.public, authority).await.unwrap();
        shown(&stream) == der(&certificate.certificate)
    })
    .await;
}

async fn expiry(api: &Node) -> Option<f64> {
    let metrics = api.about_itself("/metrics").await.text;
    metrics.lines().find_map(|line| {
        let value = line.strip_prefix("tollkeeper_tls_certificate_expiry_timestamp_seconds ")?;
        value.parse().ok()
    })
}

#[tokio::test]
async fn with_a_certificate_nothing_is_said_in_the_clear() {
    let (authority, stranger) = (TestAuthority::default(), TestAuthority::default());
    let files = Files::of(&authority.issue("localhost"));
    let mut stack = Stack::bare().await;
    let api = files.api(&mut stack, &[]).await;
    let client = |authority: &TestAuthority| {
        let trusted = Certificate::from_pem(authority.certificate().as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy();
        client.tls_certs_only([trusted]).build().unwrap()
    };
    let port = api.public.port();
    let url = format!("https://localhost:{port}/v1/forward-auth");
    let answer = client(&authority).get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let described = format!("https://localhost:{port}/openapi.json");
    let answer = client(&authority).get(&described).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    // Browsers come back over TLS alone.
    let told = &answer.headers()["strict-transport-security"];
    assert_eq!(told, "max-age=63072000");

    for (who, url) in [
        (&stranger, url.clone()),
        // Another name than the certificate's.
        (
            &authority,
            format!("https://127.0.0.1:{port}/v1/forward-auth"),
        ),
        (
            &authority,
            format!("http://localhost:{port}/v1/forward-auth"),
        ),
    ] {
        let refused = client(who).get(&url).send().await;
        assert!(refused.is_err(), "{url}: {refused:?}");
    }
    // HTTP/2 is offered by the client, and not taken.
    let mut stream = connect(api.public, &authority).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(ask(&mut stream).await, "HTTP/1.1 401 Unauthorized");
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_whoever_comes_and_nobody_is_cut_off() {
    let authority = TestAuthority::default();
    let old = authority.issue_until("localhost", 2100);
    let files = Files::of(&old);
    let mut stack = Stack::bare().await;
    let api = files.api(&mut stack, &[]).await;
    let mut early = connect(api.public, &authority).await.unwrap();
    assert_eq!(shown(&early), der(&old.certificate));
    assert_eq!(ask(&mut early).await, "HTTP/1.1 401 Unauthorized");
    assert_eq!(expiry(&api).await, Some(4_102_444_800.0));

    // One file is written before the other: nothing changes between.
    let new = authority.issue_until("localhost", 2101);
    fs::write(files.certificate(), &new.certificate).unwrap();
    wait_for("the half of it to be seen", async || {
        api.log_text().contains("certificate stays as it was")
    })
    .await;
    let stream = connect(api.public, &authority).await.unwrap();
    assert_eq!(shown(&stream), der(&old.certificate));
    assert_eq!(expiry(&api).await, Some(4_102_444_800.0));

    fs::write(files.key(), &new.key).unwrap();
    until_shown(&api, &authority, &new).await;
    wait_for("the new expiry to be told", async || {
        expiry(&api).await == Some(4_133_980_800.0)
    })
    .await;
    assert_eq!(ask(&mut early).await, "HTTP/1.1 401 Unauthorized");
    assert_eq!(shown(&early), der(&old.certificate));

    // Files that are gone for a moment, as while they are replaced, change nothing either.
    fs::remove_file(files.key()).unwrap();
    wait_for("the gap to be seen", async || {
        api.log_text().contains("TOLLKEEPER_TLS_KEY: ")
    })
    .await;
    until_shown(&api, &authority, &new).await;
}

#[tokio::test]
async fn what_cannot_be_used_stops_the_start_and_is_named() {
    let authority = TestAuthority::default();
    let (one, other) = (authority.issue("localhost"), authority.issue("localhost"));
    let mut stack = Stack::bare().await;
    let cases: [(&str, TestCertificate); 3] = [
        (
            "TOLLKEEPER_TLS_CERT and TOLLKEEPER_TLS_KEY",
            TestCertificate {
                certificate: one.certificate.clone(),
                key: other.key,
            },
        ),
        (
            "TOLLKEEPER_TLS_KEY: ",
            TestCertificate {
                certificate: one.certificate.clone(),
                key: one.certificate,
            },
        ),
        (
            "TOLLKEEPER_TLS_CERT: ",
            TestCertificate {
                certificate: String::new(),
                key: one.key,
            },
        ),
    ];
    for (named, certificate) in cases {
        let files = Files::of(&certificate);
        let api = files.starting_api(&mut stack, &[]);
        let said = wait_for_some("the start to fail", async || {
            let log = api.log_text();
            log.contains("cannot start").then_some(log)
        })
        .await;
        assert!(said.contains(named), "{said}");
        // Of the key nothing is told.
        assert!(!said.contains(certificate.key.lines().nth(1).unwrap()));
    }
}

#[tokio::test]
async fn whoever_does_not_greet_keeps_nobody_out() {
    let authority = TestAuthority::default();
    let files = Files::of(&authority.issue("localhost"));
    let mut stack = Stack::bare().await;
    let few = [("TOLLKEEPER_MAX_CONNECTIONS", "16")];
    let api = files.api(&mut stack, &few).await;
    let mut silent = Vec::new();
    for _ in 0..16 {
        silent.push(TcpStream::connect(api.public).await.unwrap());
    }
    let mut stream = connect(api.public, &authority).await.unwrap();
    assert_eq!(ask(&mut stream).await, "HTTP/1.1 401 Unauthorized");
}
