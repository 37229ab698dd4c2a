//! A NATS server of one test's own, with JetStream in a temporary folder.

mod cluster;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use cluster::TestCluster;
use tempfile::TempDir;
use tollkeeper_embedded::nats::{Nats, NatsConfig};
use tollkeeper_embedded::{install, ports};
use tollkeeper_runtime::settings::{BrokerSettings, Secret};

use crate::authority::TestCertificate;
use crate::binaries::tools_folder;
use crate::folder::{blocking, temporary};

/// The server settings for deployments, and the file of that name.
const SHIPPED: &str = include_str!("../../../../nats/nats-server.conf");
const SHIPPED_NAME: &str = "nats-server.conf";

/// Those of a server by itself that knows its users.
const SHIPPED_WITH_USERS: [(&str, &str); 3] = [
    (
        "production.conf",
        include_str!("../../../../nats/production.conf"),
    ),
    (SHIPPED_NAME, SHIPPED),
    (
        "accounts.conf",
        include_str!("../../../../nats/accounts.conf"),
    ),
];

/// A server promises a stream all that it may hold, of three quarters of what is free on the disk, and so makes
/// none on a disk that is nearly full. Streams of tests hold next to nothing.
const ROOMY: (&str, &str) = ("roomy.conf", "jetstream { max_file_store: 64GB }\n");

/// What the shipped example says the passwords are, for the tests' servers alone.
const PASSWORDS: &str = include_str!("../../../../nats/passwords.conf.example");

/// Another process may take a free port first.
const ATTEMPTS: usize = 5;

/// The path of `nats-server`, installed if need be.
///
/// # Panics
/// When there is none and it cannot be installed.
#[must_use]
pub fn program() -> PathBuf {
    install::nats_server(&tools_folder(), &crate::folder::say)
        .unwrap_or_else(|error| panic!("no NATS server for the tests: {error}"))
}

fn free_port() -> u16 {
    ports::free().expect("the loopback has a free port")
}

/// A running server; it may be stopped, killed and started again on the same port and store.
#[derive(Debug)]
pub struct TestNats {
    server: Option<Nats>,
    config: NatsConfig,
    _folder: TempDir,
}

impl TestNats {
    /// Starts a server on a free port.
    ///
    /// # Panics
    /// When there is no `nats-server` and it cannot be installed.
    pub async fn start() -> Self {
        blocking(|| Self::start_blocking(&[ROOMY])).await
    }

    /// As [`TestNats::start`], with the settings that are shipped: what is acknowledged is on the
    /// disk.
    ///
    /// # Panics
    /// When there is no `nats-server` and it cannot be installed.
    pub async fn start_as_shipped() -> Self {
        blocking(|| Self::start_blocking(&[(SHIPPED_NAME, SHIPPED)])).await
    }

    /// As [`TestNats::start_as_shipped`], with the users that are shipped: see [`TestNats::url_of`].
    ///
    /// # Panics
    /// When there is no `nats-server` and it cannot be installed.
    pub async fn start_with_users() -> Self {
        let mut files = SHIPPED_WITH_USERS.to_vec();
        files.push(("passwords.conf", PASSWORDS));
        blocking(move || Self::start_blocking(&files)).await
    }

    /// As [`TestNats::start_as_shipped`], with everything by TLS.
    ///
    /// # Panics
    /// When there is no `nats-server` and it cannot be installed.
    pub async fn start_with_tls(certificate: TestCertificate) -> Self {
        let config = "include nats-server.conf\n\
                      tls { cert_file: \"{folder}/tls.crt\", key_file: \"{folder}/tls.key\" }\n";
        let files = [
            ("tls.conf", config.to_owned()),
            (SHIPPED_NAME, SHIPPED.to_owned()),
            ("tls.crt", certificate.certificate),
            ("tls.key", certificate.key),
        ];
        blocking(move || {
            let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
            Self::start_blocking(&files)
        })
        .await
    }

    /// A server with these files in a folder, the first of which is its configuration.
    fn start_blocking(files: &[(&str, &str)]) -> Self {
        let folder = temporary();
        let place = folder.path().display().to_string();
        for (name, text) in files {
            let text = text.replace("{folder}", &place);
            let path = folder.path().join(name);
            std::fs::write(path, text).expect("the temporary folder can be written");
        }
        let config_file = files.first().map(|(name, _)| folder.path().join(name));
        let program = program();
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let config = NatsConfig {
                program: program.clone(),
                config: config_file.clone(),
                store: folder.path().join("store"),
                log: folder.path().join("nats.log"),
                port: free_port(),
                monitor: None,
                environment: Vec::new(),
                rubbish: Some(folder.path().to_owned()),
            };
            match Nats::start(config.clone()) {
                Ok(server) => {
                    return Self {
                        server: Some(server),
                        config,
                        _folder: folder,
                    };
                }
                Err(error) => last = Some(error),
            }
        }
        panic!("no NATS server for the tests: {last:?}")
    }

    /// Where clients connect; also what a [`FaultProxy`](crate::FaultProxy) goes before.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.config.address()
    }

    /// The URL clients connect to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// The URL by which a user of a server with users connects, the user's password in it.
    ///
    /// # Panics
    /// When there is no such user.
    #[must_use]
    pub fn url_of(&self, user: &str) -> String {
        let name = match user {
            "tollkeeper-api" => "API_PASSWORD",
            "tollkeeper-ingestor" => "INGESTOR_PASSWORD",
            "tollkeeper-gate" => "GATE_PASSWORD",
            "tollkeeper-admin" => "ADMIN_PASSWORD",
            other => panic!("no user {other}"),
        };
        let line = PASSWORDS.lines().find(|line| line.starts_with(name));
        let password = line.and_then(|line| line.split('"').nth(1));
        format!(
            "nats://{user}:{}@{}",
            password.expect("a password"),
            self.address()
        )
    }

    /// The folder that holds its streams.
    #[must_use]
    pub fn store(&self) -> &Path {
        &self.config.store
    }

    /// The settings that point here.
    #[must_use]
    pub fn settings(&self) -> BrokerSettings {
        BrokerSettings {
            servers: Secret::new(self.url()),
            credentials: None,
            authorities: None,
        }
    }

    /// A plain client.
    ///
    /// # Panics
    /// When the server is not running.
    pub async fn client(&self) -> async_nats::Client {
        async_nats::connect(self.url())
            .await
            .expect("the server is running")
    }

    /// A clean end.
    ///
    /// # Panics
    /// When it is not running.
    pub async fn stop(&mut self) {
        let server = self.server.take().expect("the server is running");
        blocking(move || server.stop()).await.expect("it stops");
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it is not running.
    pub fn pid(&mut self) -> u32 {
        let server = self.server.as_mut().expect("the server is running");
        server.process().id()
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// When it is not running.
    pub async fn kill(&mut self) {
        let server = self.server.take().expect("the server is running");
        blocking(move || server.kill()).await.expect("it is killed");
    }

    /// Starts it again on the same port and store.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn restart(&mut self) {
        let config = self.config.clone();
        let start = move || Nats::start(config).expect("it starts again");
        self.server = Some(blocking(start).await);
    }
}
