//! Programs of Python's registry that tests run.

use std::path::PathBuf;

use tollkeeper_embedded::install;

use crate::binaries::tools_folder;
use crate::folder::{blocking, say};

/// The folder with these packages, to be given as `PYTHONPATH`; installed if it is missing.
///
/// # Panics
/// When they cannot be installed.
pub async fn python_packages(name: &'static str, packages: &'static [&'static str]) -> PathBuf {
    let install = move || install::python_packages(&tools_folder(), name, packages, &say);
    match blocking(install).await {
        Ok(folder) => folder,
        Err(error) => panic!("no {name}: {error}"),
    }
}
