//! Documents that are written from the code.

use std::fs;

use tollkeeper_runtime::settings::reference;

use crate::error::Error;
use crate::workspace::root;

/// A file's path in the workspace, and what writes it.
type Document = (&'static str, fn() -> String);

const DOCUMENTS: &[Document] = &[
    ("docs/configuration.md", reference::configuration_md),
    (".env.example", reference::env_example),
];

pub(crate) fn write() -> Result<(), Error> {
    for (path, text) in DOCUMENTS {
        let path = root().join(path);
        fs::write(&path, text()).map_err(Error::file(path))?;
    }
    Ok(())
}

/// Fails if a document is not what the code writes now.
pub(crate) fn check() -> Result<(), Error> {
    let stale: Vec<String> = DOCUMENTS
        .iter()
        .filter(|(path, text)| fs::read_to_string(root().join(path)).ok() != Some(text()))
        .map(|(path, _)| (*path).to_owned())
        .collect();
    if stale.is_empty() {
        Ok(())
    } else {
        Err(Error::NotClean {
            task: "generate",
            paths: stale,
        })
    }
}
