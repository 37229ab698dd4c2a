//! What needs no test run: formatting, lints, documentation.

use crate::error::Error;
use crate::shell::{cargo, run};

pub(super) fn formatting() -> Result<(), Error> {
    run(&mut cargo(&["fmt", "--all", "--check"]))
}

pub(super) fn clippy() -> Result<(), Error> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--quiet", "--"];
    run(cargo(&arguments).args(["-D", "warnings"]))
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
