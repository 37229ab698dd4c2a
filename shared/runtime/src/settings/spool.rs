//! Where usage waits for the broker.

use std::path::PathBuf;
use std::str::FromStr;

use super::names::{Binary, DefaultValue, Setting};
use super::{ByteSize, SettingsError, Source};

pub(super) const SPOOL_DIR: Setting = Setting {
    name: "SPOOL_DIR",
    default: DefaultValue::Same("./spool"),
    meaning: "The folder usage events wait in until they are counted. One process per folder; \
              keep it on a local disk.",
    secret: false,
    read_by: &[Binary::Api],
    example: "",
};

pub(super) const SPOOL_BYTES: Setting = Setting {
    name: "SPOOL_BYTES",
    default: DefaultValue::Same("4GiB"),
    meaning: "The bound of the spool, in bytes or with a unit.",
    secret: false,
    read_by: &[Binary::Api],
    example: "",
};

pub(super) const SPOOL_FULL: Setting = Setting {
    name: "SPOOL_FULL",
    default: DefaultValue::Same("drop"),
    meaning: "When the spool is full: `drop` goes on without counting and reports what was \
              dropped, `refuse` answers 503.",
    secret: false,
    read_by: &[Binary::Api],
    example: "",
};

/// What a full spool means for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpoolFull {
    Drop,
    Refuse,
}

impl FromStr for SpoolFull {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "drop" => Ok(Self::Drop),
            "refuse" => Ok(Self::Refuse),
            _ => Err("expected drop or refuse"),
        }
    }
}

/// The spool's place and bound.
#[derive(Debug, Clone)]
pub struct SpoolSettings {
    pub dir: PathBuf,
    pub bytes: ByteSize,
    pub full: SpoolFull,
}

impl SpoolSettings {
    /// # Errors
    /// When a value is out of form.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        Ok(Self {
            dir: source.required(&SPOOL_DIR)?,
            bytes: source.required(&SPOOL_BYTES)?,
            full: source.required(&SPOOL_FULL)?,
        })
    }
}
