//! A running proxy: the real program with the configuration that is shipped.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tollkeeper_embedded::{Process, Signal, ports};
use tollkeeper_testkit::{http_client, wait_for_some};

use crate::Surroundings;

/// What the shipped files ask for.
pub(crate) const SHIPPED: &str = "scope=site:read";

/// Another process may take a free port first.
const ATTEMPTS: usize = 5;

/// What takes the place of the addresses in a shipped configuration.
pub(crate) struct Places {
    /// Of the program's own files.
    pub(crate) folder: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) tollkeeper: SocketAddr,
    /// Where it answers by gRPC.
    pub(crate) grpc: SocketAddr,
    pub(crate) application: SocketAddr,
    /// What is asked for in the place of [`SHIPPED`].
    pub(crate) demand: String,
}

impl Places {
    /// Writes a shipped file into the folder, each of these replaced once.
    pub(crate) fn write(&self, name: &str, shipped: &str, replaced: &[(&str, String)]) -> PathBuf {
        let mut text = shipped.to_owned();
        for (from, to) in replaced {
            assert_eq!(text.matches(from).count(), 1, "{from}");
            text = text.replace(from, to);
        }
        // In a query, and in YAML.
        for sign in ["=", ": "] {
            let written = |demand: &str| demand.replacen('=', sign, 1);
            text = text.replace(&written(SHIPPED), &written(&self.demand));
        }
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

/// A running proxy; it ends when dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl Proxy {
    /// Starts what `command` makes for a free port, and waits until it asks Tollkeeper about
    /// requests: some listen before they know what to do with one.
    pub(crate) async fn start(
        name: &str,
        around: &Surroundings,
        demand: &str,
        command: impl AsyncFn(&Places) -> Command,
    ) -> Self {
        for _ in 0..ATTEMPTS {
            let folder = tempfile::Builder::new()
                .prefix(&format!("tollkeeper-{name}-"))
                .tempdir()
                .unwrap();
            // The workers of some run as another user when the test runs as root.
            fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
            let places = Places {
                folder: folder.path().to_owned(),
                listen: ([127, 0, 0, 1], ports::free().unwrap()).into(),
                tollkeeper: around.api.public,
                grpc: around.grpc,
                application: around.application.address,
                demand: demand.to_owned(),
            };
            let mut command = command(&places).await;
            let log = fs::File::create(folder.path().join("output.log")).unwrap();
            command
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log);
            let rubbish = Some(folder.path());
            let mut process = Process::spawn(name, &mut command, Signal::Term, rubbish).unwrap();
            let listen = places.listen;
            let asks = wait_for_some(name, || {
                let ended = process.ended().unwrap().is_some();
                async move {
                    let asks = !ended && asks_about_nobody(listen).await;
                    (ended || asks).then_some(asks)
                }
            });
            if asks.await {
                return Self {
                    address: listen,
                    _process: process,
                    _folder: folder,
                };
            }
            complain(name, folder.path());
        }
        panic!("{name} does not start");
    }
}

/// Whether a request without a credential is refused as Tollkeeper refuses it.
async fn asks_about_nobody(proxy: SocketAddr) -> bool {
    let answer = http_client().get(format!("http://{proxy}/api/")).send();
    answer.await.is_ok_and(|answer| answer.status() == 401)
}

#[allow(clippy::print_stderr, reason = "for whoever reads why a test failed")]
fn complain(name: &str, folder: &Path) {
    let said = fs::read_to_string(folder.join("output.log"));
    eprintln!("{name} has ended: {}", said.unwrap_or_default());
}
