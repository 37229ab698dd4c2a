//! The workspace's own programs.

use std::env;
use std::path::PathBuf;

/// The path of a binary of this workspace, such as `tollkeeper-api`, built with the same profile
/// as the running test.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let path = profile_folder().join(name);
    assert!(
        path.is_file(),
        "{} is not built: run `cargo build --workspace --bins` first, or the tests through \
         `cargo xtask test`",
        path.display()
    );
    path
}

/// `target/tools`, where developer tasks keep the programs they install.
pub(crate) fn tools_folder() -> PathBuf {
    let mut folder = profile_folder();
    folder.pop();
    folder.join("tools")
}

/// `target/debug` or the like: a test runs from its `deps`, an example from its `examples`.
fn profile_folder() -> PathBuf {
    let program = env::current_exe().expect("the operating system names the running program");
    let folder = program.parent().expect("a program is in a folder");
    match folder.file_name().and_then(|name| name.to_str()) {
        Some("deps" | "examples") => folder.parent().expect("target is above").to_owned(),
        _ => folder.to_owned(),
    }
}
