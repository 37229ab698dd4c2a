//! What is logged and how it looks.

use std::str::FromStr;

use super::names::{Binary, DefaultValue, Setting};
use super::{SettingsError, Source};

pub(super) const LOG: Setting = Setting {
    name: "LOG",
    default: DefaultValue::Same("info"),
    meaning: "What is logged, as a `tracing` filter, for example `info,tollkeeper_authn=debug`.",
    secret: false,
    read_by: &[Binary::Api, Binary::Ingestor, Binary::Ctl],
    example: "",
};

pub(super) const LOG_FORMAT: Setting = Setting {
    name: "LOG_FORMAT",
    default: DefaultValue::Same("pretty"),
    meaning: "`pretty` for people or `json` for machines. Logs go to standard error.",
    secret: false,
    read_by: &[Binary::Api, Binary::Ingestor, Binary::Ctl],
    example: "",
};

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Pretty,
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err("expected pretty or json"),
        }
    }
}

/// What is logged and how.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// A valid filter.
    pub filter: String,
    pub format: LogFormat,
}

impl LogSettings {
    /// # Errors
    /// When the filter does not parse or the format is unknown.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let filter: String = source.required(&LOG)?;
        if let Err(reason) = tracing_subscriber::EnvFilter::try_new(&filter) {
            return Err(source.invalid(&LOG, reason));
        }
        Ok(Self {
            filter,
            format: source.required(&LOG_FORMAT)?,
        })
    }
}
