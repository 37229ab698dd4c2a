//! How long the audit log is kept.

use super::names::{Binary, DefaultValue, Setting};
use super::{SettingsError, Source};

pub(super) const AUDIT_RETENTION_DAYS: Setting = Setting {
    name: "AUDIT_RETENTION_DAYS",
    default: DefaultValue::Same("365"),
    meaning: "Days that the audit log shows, and that its entries and refused attempts are kept; 30 to \
              36500. Events are kept for ever.",
    secret: false,
    read_by: &[Binary::Api, Binary::Ctl],
    example: "",
};

/// The least that an investigation needs. The database keeps to it as well, see `audit_forget`.
const LEAST_DAYS: u32 = 30;

/// A hundred years.
const MOST_DAYS: u32 = 36_500;

/// What is kept of the audit log.
#[derive(Debug, Clone, Copy)]
pub struct AuditSettings {
    pub retention_days: u32,
}

impl AuditSettings {
    /// # Errors
    /// When the value is out of form, or less than 30 days.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let retention_days = source.required(&AUDIT_RETENTION_DAYS)?;
        if !(LEAST_DAYS..=MOST_DAYS).contains(&retention_days) {
            let expected = "expected 30 to 36500 days";
            return Err(source.invalid(&AUDIT_RETENTION_DAYS, expected));
        }
        Ok(Self { retention_days })
    }
}
