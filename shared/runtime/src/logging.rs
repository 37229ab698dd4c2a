//! Logging to standard error, as the settings say. A service manager keeps the lines.

use std::io::{self, IsTerminal};

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::settings::{LogFormat, LogSettings};

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    #[error("the log filter is not valid: {0}")]
    Filter(#[from] ParseError),

    #[error(transparent)]
    AlreadySet(#[from] TryInitError),
}

/// Writes what is still to be written when it is dropped: keep it until the process ends.
#[derive(Debug)]
#[must_use = "lines are lost once this is dropped"]
pub struct LogGuard {
    _worker: WorkerGuard,
}

/// Sets the process's subscriber. Call once, from `main`.
///
/// A thread of its own writes the lines: a pipe that nobody empties must not hold up requests. What
/// its buffer cannot hold is left out.
///
/// # Errors
/// When it is called a second time.
pub fn init(settings: &LogSettings) -> Result<LogGuard, LoggingError> {
    let (writer, worker) = tracing_appender::non_blocking(io::stderr());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&settings.filter)?)
        .with_writer(writer);
    match settings.format {
        LogFormat::Pretty => builder
            .with_ansi(io::stderr().is_terminal())
            .finish()
            .try_init()?,
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init()?,
    }
    Ok(LogGuard { _worker: worker })
}
