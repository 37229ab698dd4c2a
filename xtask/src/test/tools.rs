//! What the tests and the measurements need of the machine.

use std::env;
use std::path::Path;

use tollkeeper_embedded::install;

use crate::error::Error;
use crate::shell::say;
use crate::workspace::Workspace;

/// Installs what is missing, saying so.
pub(crate) fn ensure(workspace: &Workspace) -> Result<(), Error> {
    install::postgres(&say)?;
    // Where the tests look for it too.
    install::nats_server(&workspace.target.join("tools"), &say)?;
    if !is_installed("nginx") {
        install::packages(&["nginx"], &say)?;
    }
    for (program, package) in [
        ("chromium", "chromium"),
        ("chromedriver", "chromium-driver"),
        ("systemd-analyze", "systemd"),
        // With promtool.
        ("prometheus", "prometheus"),
        // The commands of runbooks use them.
        ("curl", "curl"),
        ("jq", "jq"),
        // The rules for pages that everybody can use come from its registry.
        ("npm", "npm"),
    ] {
        if !is_installed(program) {
            install::packages(&[package], &say)?;
        }
    }
    Ok(())
}

/// Installs the load generators that are missing, saying so.
pub(crate) fn ensure_load_generators() -> Result<(), Error> {
    for (program, package) in [("wrk", "wrk"), ("h2load", "nghttp2-client")] {
        if !is_installed(program) {
            install::packages(&[package], &say)?;
        }
    }
    Ok(())
}

/// Also where an ordinary user's `PATH` does not lead.
fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
        || Path::new("/usr/sbin").join(program).is_file()
}
