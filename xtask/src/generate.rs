//! Documents that are written from the code.

use std::fs;
use std::process::Stdio;

use tollkeeper_runtime::settings::reference;
use tollkeeper_telemetry::reference::metrics_md;

use crate::error::Error;
use crate::grafana::DASHBOARDS;
use crate::shell::{cargo, output};
use crate::workspace::root;

/// A file's path in the workspace, and what writes it.
type Document = (&'static str, fn() -> Result<Vec<u8>, Error>);

const DOCUMENTS: &[Document] = &[
    ("docs/configuration.md", || {
        Ok(reference::configuration_md().into())
    }),
    (".env.example", || Ok(reference::env_example().into())),
    ("docs/metrics.md", || Ok(metrics_md().into())),
    ("docs/openapi.json", openapi),
];

/// By a program of its own: this one need not wait for the API to be built.
fn openapi() -> Result<Vec<u8>, Error> {
    let mut command = cargo(&["run", "--quiet", "--example", "openapi"]);
    // What the compiler says is for the terminal.
    command.stderr(Stdio::inherit());
    output(&mut command)
}

pub(crate) fn write() -> Result<(), Error> {
    for (path, text) in DASHBOARDS.iter().chain(DOCUMENTS) {
        let path = root().join(path);
        fs::write(&path, text()?).map_err(Error::file(path))?;
    }
    Ok(())
}

/// Fails if a document is not what the code writes now.
pub(crate) fn check() -> Result<(), Error> {
    let mut stale = Vec::new();
    for (path, text) in DASHBOARDS.iter().chain(DOCUMENTS) {
        if fs::read(root().join(path)).ok() != Some(text()?) {
            stale.push((*path).to_owned());
        }
    }
    if stale.is_empty() {
        Ok(())
    } else {
        Err(Error::NotClean {
            task: "generate",
            paths: stale,
        })
    }
}
