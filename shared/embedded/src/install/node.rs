//! Packages of Node's registry that need no other, each in a folder of its own. They are files to be read;
//! no script of theirs runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::apt::{self, succeeds};
use super::{InstallError, Say, once};

/// One version of a package, and what it must contain.
#[derive(Debug, Clone, Copy)]
pub struct NodePackage {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The hash of what is downloaded, as the W3C's Subresource Integrity writes it.
    pub integrity: &'static str,
}

/// The folder of `package` below `tools`, downloaded if it is not there. Several processes may ask at
/// once: one downloads, the others wait.
///
/// # Errors
/// When it is missing and cannot be downloaded, or is not what it must be.
pub fn node_package(
    tools: &Path,
    package: &NodePackage,
    say: Say<'_>,
) -> Result<PathBuf, InstallError> {
    let NodePackage { name, version, .. } = package;
    let folder = once::folder(tools, &format!("{name}-{version}"), |folder| {
        if !succeeds(Command::new("npm").arg("--version")) {
            apt::packages(&["npm"], say)?;
        }
        say(&format!("downloading {name} {version} (npm)"));
        download(folder, package)
    })?;
    Ok(folder.join("node_modules").join(name))
}

fn download(folder: &Path, package: &NodePackage) -> Result<(), InstallError> {
    let failed = |output| InstallError::Failed {
        what: package.name.to_owned(),
        output,
    };
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|reason| InstallError::Folder { path, reason })
    };
    write("package.json", wish(package))?;
    write("package-lock.json", lock(package))?;
    let output = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|reason| failed(reason.to_string()))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}

fn wish(NodePackage { name, version, .. }: &NodePackage) -> String {
    format!(r#"{{ "private": true, "dependencies": {{ "{name}": "{version}" }} }}"#)
}

/// By which npm takes this content and no other.
fn lock(package: &NodePackage) -> String {
    let NodePackage {
        name,
        version,
        integrity,
    } = package;
    format!(
        r#"{{
    "lockfileVersion": 3,
    "packages": {{
        "": {{ "dependencies": {{ "{name}": "{version}" }} }},
        "node_modules/{name}": {{ "version": "{version}", "integrity": "{integrity}" }}
    }}
}}"#
    )
}
