//! The API and the ingestor, as children.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tollkeeper_embedded::{Process, Signal};
use tollkeeper_runtime::settings::{BrokerSettings, DatabaseSettings};

use super::Addresses;
use super::error::Error;
use super::folder::Folder;
use super::secrets::Secrets;

/// What the services need to know.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) folder: &'a Folder,
    pub(super) secrets: &'a Secrets,
    pub(super) database: &'a DatabaseSettings,
    pub(super) broker: &'a BrokerSettings,
    pub(super) addresses: Addresses,
}

pub(super) fn start_ingestor(around: &Surroundings<'_>) -> Result<Process, Error> {
    let internal = around.addresses.ingestor_internal;
    let mut command = command("tollkeeper-ingestor", around, internal)?;
    spawn("tollkeeper-ingestor", &mut command)
}

pub(super) fn start_api(around: &Surroundings<'_>) -> Result<Process, Error> {
    let others = std::env::var("TOLLKEEPER_OPERATOR_KEY").ok();
    let internal = around.addresses.api_internal;
    let mut command = command("tollkeeper-api", around, internal)?;
    command
        .env("TOLLKEEPER_LISTEN", around.addresses.public.to_string())
        .env(
            "TOLLKEEPER_OPERATOR_KEY",
            around.secrets.operator_keys(others),
        )
        .env("TOLLKEEPER_SEAL_KEYS", around.secrets.seal_keys().expose())
        .env_remove("TOLLKEEPER_SEAL_KEYS_FILE");
    if std::env::var_os("TOLLKEEPER_SPOOL_DIR").is_none() {
        command.env("TOLLKEEPER_SPOOL_DIR", around.folder.join("spool"));
    }
    spawn("tollkeeper-api", &mut command)
}

/// A sibling of this program, with what the person set for it passed on.
fn command(name: &str, around: &Surroundings<'_>, internal: SocketAddr) -> Result<Command, Error> {
    let program = sibling(name)?;
    let log = around.folder.log(name);
    let wrap = |reason| Error::Folder {
        path: log.clone(),
        reason,
    };
    let out = File::options()
        .create(true)
        .append(true)
        .open(&log)
        .map_err(wrap)?;
    let err = out.try_clone().map_err(wrap)?;
    let mut command = Command::new(program);
    command
        .env("TOLLKEEPER_DATABASE_URL", around.database.url.expose())
        .env("TOLLKEEPER_NATS_URL", around.broker.servers.expose())
        .env("TOLLKEEPER_INTERNAL_LISTEN", internal.to_string())
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err);
    Ok(command)
}

fn spawn(name: &str, command: &mut Command) -> Result<Process, Error> {
    Ok(Process::spawn(name, command, Signal::Term, None)?)
}

fn sibling(name: &str) -> Result<PathBuf, Error> {
    let missing = |path| Error::Binary { path };
    let this = std::env::current_exe().map_err(|reason| Error::Folder {
        path: PathBuf::from(name),
        reason,
    })?;
    let path = this.with_file_name(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(missing(path))
    }
}
