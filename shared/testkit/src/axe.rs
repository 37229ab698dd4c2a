//! The script that finds what keeps people from using a page.

use std::fs;

use tollkeeper_embedded::install::{self, NodePackage};

use crate::binaries::tools_folder;
use crate::folder::{blocking, say};

const AXE_CORE: NodePackage = NodePackage {
    name: "axe-core",
    version: "4.14.1",
    integrity: "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
};

/// axe-core, to be run in a browser; downloaded if it is missing.
///
/// # Panics
/// When it cannot be downloaded.
pub async fn axe_core() -> String {
    let read = || {
        let folder = install::node_package(&tools_folder(), &AXE_CORE, &say);
        let folder = folder.unwrap_or_else(|error| panic!("no axe-core: {error}"));
        fs::read_to_string(folder.join("axe.min.js")).expect("the package holds its script")
    };
    blocking(read).await
}
