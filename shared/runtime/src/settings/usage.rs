//! How long usage is kept and how much of a caller's address.

use std::str::FromStr;

use super::names::{Binary, DefaultValue, Setting};
use super::{SettingsError, Source};

pub(super) const USAGE_RETENTION_DAYS: Setting = Setting {
    name: "USAGE_RETENTION_DAYS",
    default: DefaultValue::Same("90"),
    meaning: "Days of raw usage, one row per request, that are kept; at least 1.",
    secret: false,
    read_by: &[Binary::Ingestor],
    example: "",
};

pub(super) const ROLLUP_RETENTION_DAYS: Setting = Setting {
    name: "ROLLUP_RETENTION_DAYS",
    default: DefaultValue::Same("400"),
    meaning: "Days of usage by hour and by day that are kept; at least 1.",
    secret: false,
    read_by: &[Binary::Ingestor, Binary::Ctl],
    example: "",
};

pub(super) const USAGE_IP: Setting = Setting {
    name: "USAGE_IP",
    default: DefaultValue::Same("full"),
    meaning: "How much of a caller's address is kept: `full`, `network` (/24 or /48) or `none`.",
    secret: false,
    read_by: &[Binary::Api],
    example: "",
};

/// How much of an address is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageIp {
    Full,
    Network,
    None,
}

impl FromStr for UsageIp {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "full" => Ok(Self::Full),
            "network" => Ok(Self::Network),
            "none" => Ok(Self::None),
            _ => Err("expected full, network or none"),
        }
    }
}

/// What is kept of usage.
#[derive(Debug, Clone)]
pub struct UsageSettings {
    pub retention_days: u32,
    pub rollup_retention_days: u32,
    pub ip: UsageIp,
}

impl UsageSettings {
    /// # Errors
    /// When a value is out of form.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        Ok(Self {
            retention_days: days(source, &USAGE_RETENTION_DAYS)?,
            rollup_retention_days: days(source, &ROLLUP_RETENTION_DAYS)?,
            ip: source.required(&USAGE_IP)?,
        })
    }
}

fn days(source: &Source, setting: &'static Setting) -> Result<u32, SettingsError> {
    match source.required(setting)? {
        0 => Err(source.invalid(setting, "expected at least 1")),
        days => Ok(days),
    }
}
