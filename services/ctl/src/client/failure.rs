//! Why a command came to nothing, and the exit code that says so.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use reqwest::StatusCode;
use serde::Deserialize;
use tollkeeper_runtime::settings::SettingsError;

use super::output::plain;

/// Why a command came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Settings(#[from] SettingsError),

    #[error("TOLLKEEPER_API_KEY holds what no header can")]
    Key,

    #[error("--metadata is not a JSON object")]
    Metadata,

    #[error("{0} holds no token")]
    NoToken(String),

    #[error("{0} is longer than any token")]
    TooLong(String),

    #[error(
        "line {0} is not JSON; what stands well before it may be reported, and counts no second time"
    )]
    Line(usize),

    #[error("{path} cannot be read: {reason}")]
    File {
        path: PathBuf,
        #[source]
        reason: std::io::Error,
    },

    #[error("standard input cannot be read: {0}")]
    Input(#[source] std::io::Error),

    #[error("the answer cannot be written: {0}")]
    Output(#[source] std::io::Error),

    #[error("{}", unreachable(.0))]
    Unreachable(#[source] reqwest::Error),

    #[error("{problem}")]
    Refused {
        status: StatusCode,
        problem: Problem,
    },

    #[error("the server answers {0}, and not as Tollkeeper does: is the URL right?")]
    Foreign(StatusCode),
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Unreachable(error)
    }
}

impl Failure {
    /// 1 refused or failed, 2 wrong usage or settings, 3 not found, 5 out of reach.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Settings(_)
            | Self::Key
            | Self::Metadata
            | Self::NoToken(_)
            | Self::TooLong(_)
            | Self::Line(_) => 2,
            Self::Refused { status, .. } if *status == StatusCode::NOT_FOUND => 3,
            Self::Refused { status, .. } if *status == StatusCode::SERVICE_UNAVAILABLE => 5,
            Self::Unreachable(_) => 5,
            Self::Foreign(_)
            | Self::Refused { .. }
            | Self::File { .. }
            | Self::Input(_)
            | Self::Output(_) => 1,
        })
    }
}

/// A refusal as the API writes it (RFC 9457).
#[derive(Debug, Deserialize)]
pub(crate) struct Problem {
    detail: String,
    code: String,
    request_id: String,
    #[serde(default)]
    errors: Vec<FieldError>,
}

#[derive(Debug, Deserialize)]
struct FieldError {
    pointer: String,
    detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (detail, code, id) = (&self.detail, &self.code, &self.request_id);
        f.write_str(&plain(&format!("{detail} ({code}, request {id})")))?;
        for error in &self.errors {
            let line = format!("{}: {}", error.pointer, error.detail);
            // Of one bad field the detail says all there is.
            if line == *detail {
                continue;
            }
            write!(f, "\n    {}", plain(&line))?;
        }
        Ok(())
    }
}

/// The whole chain: the last link says what a person can do something about.
fn unreachable(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(link) = source {
        text = format!("{text}: {link}");
        source = link.source();
    }
    if error.is_connect() || error.is_builder() {
        text
    } else {
        format!("{text} (it is not known whether it was done)")
    }
}
