//! Why a start was refused. Each message names the setting and where its value came from; none
//! repeats the value of a secret.

use std::io;
use std::path::PathBuf;

/// A setting is missing, unknown or wrong.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{variable} is not set: {meaning}")]
    Missing {
        variable: String,
        meaning: &'static str,
    },

    #[error("{variable} (from {origin}) is not valid: {reason}")]
    Invalid {
        variable: String,
        origin: String,
        reason: String,
    },

    #[error("{variable} (from {origin}) is not a setting of Tollkeeper{}", suggestion(.nearest))]
    Unknown {
        variable: String,
        origin: String,
        nearest: Option<String>,
    },

    #[error("{variable} is set twice, by value and by file: keep one of them")]
    Twice { variable: String },

    #[error("{variable} names {path}, which cannot be read: {reason}")]
    File {
        variable: String,
        path: PathBuf,
        #[source]
        reason: io::Error,
    },

    #[error("the configuration in {path} is not valid: {reason}")]
    Format { path: PathBuf, reason: String },
}

fn suggestion(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!("; did you mean {name}?"),
        None => String::new(),
    }
}
