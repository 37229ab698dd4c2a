//! A throw-away Postgres for a task.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;
use tollkeeper_ambient::{Entropy, SystemEntropy};
use tollkeeper_embedded::postgres::{Durability, Postgres, PostgresConfig};
use tollkeeper_embedded::{install, ports};

use crate::error::Error;
use crate::shell::say;

/// A server in a temporary folder. It ends with this process, however that ends.
#[derive(Debug)]
pub(crate) struct Throwaway {
    server: Postgres,
    _folder: TempDir,
}

impl Throwaway {
    pub(crate) fn start(max_connections: u32) -> Result<Self, Error> {
        let binaries = install::postgres(&say)?;
        let folder = tempfile::Builder::new()
            .prefix("tollkeeper-xtask-")
            .tempdir()
            .map_err(Error::file(std::env::temp_dir()))?;
        let path = folder.path();
        // Postgres may run as another user, who must get through.
        fs::set_permissions(path, Permissions::from_mode(0o755)).map_err(Error::file(path))?;
        let config = PostgresConfig {
            data: path.join("data"),
            sockets: path.join("run"),
            log: path.join("postgres.log"),
            password: password(),
            port: ports::free().map_err(Error::file("the loopback"))?,
            tcp: true,
            durability: Durability::None,
            max_connections,
            rubbish: Some(path.to_owned()),
        };
        let server = Postgres::start(&binaries, config)?;
        Ok(Self {
            server,
            _folder: folder,
        })
    }

    /// The URL of the maintenance database.
    pub(crate) fn url(&self) -> String {
        self.server.config().url("postgres")
    }
}

fn password() -> String {
    let mut bytes = [0_u8; 16];
    SystemEntropy.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
