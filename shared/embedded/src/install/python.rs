//! Packages of Python's registry, each set in a folder of its own that nothing else sees.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::apt::{self, succeeds};
use super::{InstallError, Say, once};

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
    once::folder(tools, name, |folder| {
        if !succeeds(Command::new("python3").args(["-m", "pip", "--version"])) {
            apt::packages(&["python3-pip"], say)?;
        }
        let (home, wanted) = (tools.join(name), packages.join(", "));
        say(&format!(
            "installing {name} into {} (pip, {wanted})",
            home.display()
        ));
        download(folder, packages)
    })
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
