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

pub(super) const REPLICA_URL: Setting = Setting {
    name: "REPLICA_URL",
    default: DefaultValue::None,
    meaning: "A streaming replica of the primary, as a `postgres://` URL, for questions about usage \
              alone. While it is away or more than 10 seconds behind, the primary answers them.",
    secret: true,
    read_by: &[Binary::Api],
    example: "postgres://tollkeeper:password@replica/tollkeeper",
};

/// A database.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// A `postgres://` URL; it may hold a password.
    pub url: Secret,
}

impl DatabaseSettings {
    /// # Errors
    /// When it is missing or not a Postgres URL.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let url = source.required(&DATABASE_URL)?;
        Self::of(url, source, &DATABASE_URL)
    }

    /// The replica that questions about usage are asked of, if there is one.
    ///
    /// # Errors
    /// When it is not a Postgres URL.
    pub fn replica(source: &Source) -> Result<Option<Self>, SettingsError> {
        let url: Option<Secret> = source.optional(&REPLICA_URL)?;
        url.map(|url| Self::of(url, source, &REPLICA_URL))
            .transpose()
    }

    fn of(url: Secret, source: &Source, setting: &Setting) -> Result<Self, SettingsError> {
        let schemes = ["postgres://", "postgresql://"];
        if schemes
            .iter()
            .any(|scheme| url.expose().starts_with(scheme))
        {
            Ok(Self { url })
        } else {
            Err(source.invalid(setting, "expected a postgres:// URL"))
        }
    }
}
