//! Why a task failed.

use std::io;
use std::path::PathBuf;

use tollkeeper_embedded::ServerError;
use tollkeeper_embedded::install::InstallError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("`{command}` cannot be run: {reason}")]
    Run {
        command: String,
        #[source]
        reason: io::Error,
    },

    #[error("`{command}` failed")]
    Failed { command: String },

    #[error("{path}: {reason}")]
    File {
        path: PathBuf,
        #[source]
        reason: io::Error,
    },

    #[error("these files are not what `cargo xtask {task}` writes: {}", .paths.join(", "))]
    NotClean {
        task: &'static str,
        paths: Vec<String>,
    },

    #[error("the output of cargo metadata cannot be understood")]
    Metadata,

    #[error("a dashboard cannot be written: {0}")]
    Dashboard(#[source] serde_json::Error),

    #[error("the picture {path}: {reason}")]
    Picture { path: PathBuf, reason: String },

    #[error(transparent)]
    Install(#[from] InstallError),

    #[error(transparent)]
    Server(#[from] ServerError),

    #[error("the migrations failed: {0}")]
    Migrate(String),
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |reason| Self::File { path, reason }
    }
}
