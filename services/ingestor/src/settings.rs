//! The ingestor's settings.

use tollkeeper_runtime::settings::{
    BrokerSettings, DatabaseSettings, InternalListenSettings, LogSettings, SettingsError, Source,
    TraceSettings, UsageSettings,
};

/// Everything the ingestor is told from outside.
#[derive(Debug, Clone)]
pub struct IngestorSettings {
    /// The primary.
    pub database: DatabaseSettings,
    /// Where usage comes from.
    pub broker: BrokerSettings,
    /// Health and metrics.
    pub internal: InternalListenSettings,
    /// How the log looks.
    pub log: LogSettings,
    /// Where traces go.
    pub traces: TraceSettings,
    /// Days of raw usage that are kept.
    pub retention_days: u32,
    /// Days of rollups that are kept.
    pub rollup_retention_days: u32,
}

impl IngestorSettings {
    /// # Errors
    /// When a setting is missing or out of form; the error names it.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let usage = UsageSettings::read(source)?;
        Ok(Self {
            database: DatabaseSettings::read(source)?,
            broker: BrokerSettings::read(source)?,
            internal: InternalListenSettings::read(source)?,
            log: LogSettings::read(source)?,
            traces: TraceSettings::read(source)?,
            retention_days: usage.retention_days,
            rollup_retention_days: usage.rollup_retention_days,
        })
    }
}
