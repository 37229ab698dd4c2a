//! Why it is not up.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;

use tollkeeper_embedded::ServerError;
use tollkeeper_embedded::install::InstallError;
use tollkeeper_runtime::settings::SettingsError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),

    #[error(
        "{variable} is set, but `up` runs servers of its own: unset it, or start \
         tollkeeper-api and tollkeeper-ingestor yourself to use yours"
    )]
    OwnServers { variable: &'static str },

    #[error("another `tollkeeper up` is running in {0}")]
    Locked(PathBuf),

    #[error(
        "what an earlier `tollkeeper up` started in {0} is still running: end it \
         (its processes are named postgres, nats-server and tollkeeper-…) and try again"
    )]
    Leftover(PathBuf),

    #[error("{path}: {reason}")]
    Folder {
        path: PathBuf,
        #[source]
        reason: io::Error,
    },

    #[error("{path} cannot be understood: {reason}")]
    Secrets {
        path: PathBuf,
        #[source]
        reason: serde_json::Error,
    },

    #[error("cannot listen on {address}: {reason}; set {setting} to another address")]
    Port {
        setting: &'static str,
        address: SocketAddr,
        #[source]
        reason: io::Error,
    },

    #[error("cannot listen for signals: {0}")]
    Signals(#[source] io::Error),

    #[error(transparent)]
    Install(#[from] InstallError),

    #[error(transparent)]
    Server(#[from] ServerError),

    #[error("the private database: {0}")]
    Database(#[from] sqlx::Error),

    #[error(transparent)]
    Migrate(#[from] crate::migrate::Error),

    #[error("the first operator: {0}")]
    Operator(#[from] crate::operator::Error),

    #[error(transparent)]
    Nats(#[from] crate::nats::Error),

    #[error("{path} is missing: build the workspace's binaries first")]
    Binary { path: PathBuf },

    #[error("{0}")]
    Died(Death),

    #[error("{name} did not become ready in time; {state}; see {log}")]
    Slow {
        name: &'static str,
        state: String,
        log: PathBuf,
    },

    #[error("issuing the first token: {0}")]
    Http(#[from] reqwest::Error),

    #[error("issuing the first token: the API answered {status}: {body}")]
    Answer { status: u16, body: String },

    #[error("a task ended early: {0}")]
    Task(#[from] tokio::task::JoinError),

    #[error("stopping failed: {0}")]
    Stop(#[source] io::Error),
}

/// A child that ended although nobody asked it to.
#[derive(Debug)]
pub(crate) struct Death {
    pub(super) name: String,
    pub(super) status: Option<ExitStatus>,
    pub(super) log: PathBuf,
}

impl std::fmt::Display for Death {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, log) = (&self.name, self.log.display());
        match self.status {
            Some(status) => write!(f, "{name} ended ({status})")?,
            None => write!(f, "{name} cannot be watched")?,
        }
        let tail = tollkeeper_embedded::tail(&self.log);
        write!(f, "; the end of its log {log}:\n{tail}")
    }
}
