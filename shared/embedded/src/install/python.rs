//! Packages of Python's registry, each set in a folder of its own that nothing else sees.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::apt::{self, succeeds};
use super::{InstallError, Say};

/// Has `packages` and what they need in the folder `name` below `tools`, which is to be given as
/// `PYTHONPATH`, and installs them if it is not there. Several processes may ask at once: one
/// installs, the others wait.
///
/// # Errors
/// When they are missing and cannot be installed.
pub fn python_packages(
    tools: &Path,
    name: &str,
    packages: &[&str],
    say: Say<'_>,
) -> Result<PathBuf, InstallError> {
    let home = tools.join(name);
    if home.exists() {
        return Ok(home);
    }
    let folder = |reason| InstallError::Folder {
        path: tools.to_owned(),
        reason,
    };
    fs::create_dir_all(tools).map_err(folder)?;
    let lock = File::create(tools.join("install.lock")).map_err(folder)?;
    lock.lock().map_err(folder)?;
    // Another process may have installed them while this one waited for the lock.
    if home.exists() {
        return Ok(home);
    }
    if !succeeds(Command::new("python3").args(["-m", "pip", "--version"])) {
        apt::packages(&["python3-pip"], say)?;
    }
    let wanted = packages.join(", ");
    say(&format!(
        "installing {name} into {} (pip, {wanted})",
        home.display()
    ));
    let unfinished = tools.join(format!("{name}.unfinished"));
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(folder)?;
    }
    download(&unfinished, packages)?;
    fs::rename(&unfinished, &home).map_err(folder)?;
    Ok(home)
}

fn download(target: &Path, packages: &[&str]) -> Result<(), InstallError> {
    let failed = |output| InstallError::Failed {
        what: packages.join(", "),
        output,
    };
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", "--only-binary", ":all:"])
        .arg("--target")
        .arg(target)
        .args(packages)
        .stdin(Stdio::null())
        .output()
        .map_err(|reason| failed(reason.to_string()))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}
