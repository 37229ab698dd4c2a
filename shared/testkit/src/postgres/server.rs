//! The server that tests share.

use std::env;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use tollkeeper_ambient::{Entropy, SystemEntropy};
use tollkeeper_embedded::postgres::{Binaries, Durability, Postgres, PostgresConfig};
use tollkeeper_embedded::{ServerError, install, ports};

/// The URL of the maintenance database of a server, over its socket.
const SHARED: &str = "TOLLKEEPER_TEST_POSTGRES";

/// Another process may take a free port first.
const ATTEMPTS: usize = 5;

/// Enough for many tests at once, each with a pool or two.
const CONNECTIONS: u32 = 400;

/// The maintenance URL of the shared server, started if there is none.
pub(super) fn shared() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| match env::var(SHARED) {
        Ok(url) => url,
        Err(_) => {
            // Never dropped: its guard ends the server and removes the folder with the process.
            static SERVER: OnceLock<Postgres> = OnceLock::new();
            let folder = crate::folder::temporary().keep();
            let server = SERVER.get_or_init(|| start(&folder, Durability::None, CONNECTIONS));
            server.config().url("postgres")
        }
    })
}

/// Starts a server in `folder` on a free port.
pub(super) fn start(folder: &Path, durability: Durability, max_connections: u32) -> Postgres {
    let config = PostgresConfig {
        data: folder.join("data"),
        sockets: folder.join("run"),
        log: folder.join("postgres.log"),
        password: password(),
        port: 0,
        tcp: true,
        durability,
        max_connections,
        rubbish: Some(folder.to_owned()),
    };
    attempt(&config, Postgres::start)
}

/// Starts a streaming replica of `primary` in `folder` on a free port.
pub(super) fn follow(folder: &Path, primary: &PostgresConfig) -> Postgres {
    let config = PostgresConfig {
        data: folder.join("data"),
        sockets: folder.join("run"),
        log: folder.join("postgres.log"),
        rubbish: Some(folder.to_owned()),
        ..primary.clone()
    };
    attempt(&config, |binaries, config| {
        Postgres::follow(binaries, primary, config)
    })
}

/// Starts a server on some free port.
fn attempt(
    config: &PostgresConfig,
    start: impl Fn(&Binaries, PostgresConfig) -> Result<Postgres, ServerError>,
) -> Postgres {
    let binaries = install::postgres(&crate::folder::say)
        .unwrap_or_else(|error| panic!("no Postgres for the tests: {error}"));
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let port = ports::free().expect("the loopback has a free port");
        let chosen = PostgresConfig {
            port,
            ..config.clone()
        };
        match start(&binaries, chosen) {
            Ok(server) => return server,
            Err(error) => {
                last = Some(error);
                // A cluster keeps the password it was made with.
                let _ = fs::remove_dir_all(&config.data);
            }
        }
    }
    panic!("no Postgres for the tests: {last:?}")
}

fn password() -> String {
    let mut bytes = [0_u8; 16];
    SystemEntropy.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
