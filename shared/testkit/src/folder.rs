//! A server's folder.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

/// A temporary folder with a short path (sockets live in it) that another user may pass through.
pub(crate) fn temporary() -> TempDir {
    let folder = tempfile::Builder::new()
        .prefix("tollkeeper-test-")
        .tempdir()
        .expect("the temporary folder can be written");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))
        .expect("the mode of an own folder can be set");
    folder
}

/// Runs something that blocks beside the test's other tasks.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .expect("starting or stopping a server does not panic")
}

/// Tells the person at the terminal what is being installed.
#[allow(clippy::print_stderr)]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}
