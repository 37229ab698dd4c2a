//! Where things are.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Error;
use crate::shell::{cargo, output};

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// What cargo knows of the workspace.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) target: PathBuf,
}

impl Workspace {
    pub(crate) fn load() -> Result<Self, Error> {
        let arguments = ["metadata", "--format-version=1", "--no-deps"];
        let text = output(&mut cargo(&arguments))?;
        let metadata: Value = serde_json::from_slice(&text).map_err(|_| Error::Metadata)?;
        let target = metadata["target_directory"]
            .as_str()
            .ok_or(Error::Metadata)?;
        Ok(Self {
            target: target.into(),
        })
    }
}
