//! The system's packages.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{InstallError, Say};

/// Where Debian's Postgres packages look for wishes before they make a first cluster.
const NO_CLUSTER: &str = "/etc/postgresql-common/createcluster.d/tollkeeper.conf";

/// Installs packages of these names.
///
/// # Errors
/// When there is no apt-get, no right to use it, or it fails.
pub fn packages(names: &[&str], say: Say<'_>) -> Result<(), InstallError> {
    let what = names.join(", ");
    if !succeeds(Command::new("apt-get").arg("--version")) {
        return Err(InstallError::NoApt { what });
    }
    let by_root = rustix::process::geteuid().is_root();
    if !by_root && !succeeds(Command::new("sudo").args(["-n", "true"])) {
        let list = names.join(" ");
        return Err(InstallError::NeedsRoot {
            what,
            command: format!("sudo apt-get update && sudo apt-get install -y {list}"),
        });
    }
    say(&format!("installing {what} (apt-get)"));
    run(by_root, &what, &["update", "-q"])?;
    let mut install = vec!["install", "-y", "-q", "--no-install-recommends"];
    install.extend(names);
    run(by_root, &what, &install)
}

/// Postgres, without the system-wide cluster that its package would make and start.
pub(super) fn postgres(say: Say<'_>) -> Result<(), InstallError> {
    let wish = Path::new(NO_CLUSTER);
    // As an ordinary user with sudo the folder is out of reach; then a cluster appears beside us,
    // which does no harm.
    let wished = wish
        .parent()
        .is_some_and(|folder| fs::create_dir_all(folder).is_ok())
        && fs::write(wish, "create_main_cluster = false\n").is_ok();
    let installed = packages(&["postgresql"], say);
    if wished {
        // The wish was for this installation only.
        let _ = fs::remove_file(wish);
    }
    installed
}

fn run(by_root: bool, what: &str, arguments: &[&str]) -> Result<(), InstallError> {
    let mut command = if by_root {
        Command::new("apt-get")
    } else {
        let mut command = Command::new("sudo");
        command.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        command
    };
    let output = command
        // Another run on this machine may be installing at the same time.
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .map_err(|reason| failed(what, reason.to_string()))?;
    if output.status.success() {
        Ok(())
    } else {
        let text = [output.stdout, output.stderr].concat();
        Err(failed(what, String::from_utf8_lossy(&text).into_owned()))
    }
}

fn failed(what: &str, output: String) -> InstallError {
    InstallError::Failed {
        what: what.to_owned(),
        output,
    }
}

pub(super) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
