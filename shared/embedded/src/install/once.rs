//! Folders that are filled once, by whichever process comes first.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::InstallError;

/// The folder `name` below `tools`, filled by `fill` if it is not there. Several processes may ask at once:
/// one fills it, the others wait. What is there is whole: it gets its name when it is filled.
pub(super) fn folder(
    tools: &Path,
    name: &str,
    fill: impl FnOnce(&Path) -> Result<(), InstallError>,
) -> Result<PathBuf, InstallError> {
    let home = tools.join(name);
    if home.exists() {
        return Ok(home);
    }
    let failed = |reason| InstallError::Folder {
        path: tools.to_owned(),
        reason,
    };
    fs::create_dir_all(tools).map_err(failed)?;
    let lock = File::create(tools.join("install.lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    // Another process may have filled it while this one waited for the lock.
    if home.exists() {
        return Ok(home);
    }
    let unfinished = tools.join(format!("{name}.unfinished"));
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(failed)?;
    }
    fs::create_dir(&unfinished).map_err(failed)?;
    fill(&unfinished)?;
    fs::rename(&unfinished, &home).map_err(failed)?;
    Ok(home)
}
