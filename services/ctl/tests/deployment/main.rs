//! What is shipped to run Tollkeeper with: the files say what their formats allow, name what is there, and
//! start what they should.
//!
//! No container engine and no cluster takes part: the programs are started by hand as the files say.

#![allow(clippy::unwrap_used, reason = "a test")]

mod compose;
mod containers;
mod kubernetes;
mod security;
mod settings;
mod systemd;
mod yaml;

use std::path::PathBuf;

/// A file of the repository.
fn shipped(path: &str) -> PathBuf {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    PathBuf::from(root).join(path)
}
