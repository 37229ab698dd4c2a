//! Logging to standard error, as the settings say. A service manager keeps the lines.

use std::io::{self, IsTerminal};

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

/// Sets the process's subscriber. Call once, from `main`.
///
/// # Errors
/// When it is called a second time.
pub fn init(settings: &LogSettings) -> Result<(), LoggingError> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&settings.filter)?)
        .with_writer(io::stderr);
    match settings.format {
        LogFormat::Pretty => builder
            .with_ansi(io::stderr().is_terminal())
            .finish()
            .try_init()?,
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}
