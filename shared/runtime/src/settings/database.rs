//! Where the data is.

use super::names::{Binary, DefaultValue, Setting};
use super::{Secret, SettingsError, Source};

pub(super) const DATABASE_URL: Setting = Setting {
    name: "DATABASE_URL",
    default: DefaultValue::None,
    meaning: "Postgres 15 or newer, the primary, as a `postgres://` URL. May point at a \
              transaction-pooling PgBouncer (1.21 or newer), except for \
              `tollkeeper migrate` and `tollkeeper projections`.",
    secret: true,
    read_by: &[Binary::Api, Binary::Ingestor, Binary::Ctl],
    example: "postgres://tollkeeper:password@localhost/tollkeeper",
};

/// The primary database.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// A `postgres://` URL; it may hold a password.
    pub url: Secret,
}

impl DatabaseSettings {
    /// # Errors
    /// When it is missing or not a Postgres URL.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let url: Secret = source.required(&DATABASE_URL)?;
        let schemes = ["postgres://", "postgresql://"];
        if schemes
            .iter()
            .any(|scheme| url.expose().starts_with(scheme))
        {
            Ok(Self { url })
        } else {
            Err(source.invalid(&DATABASE_URL, "expected a postgres:// URL"))
        }
    }
}
