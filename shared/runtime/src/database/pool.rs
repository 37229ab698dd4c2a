//! Connection pools.
//!
//! Nothing is set on a connection's session: behind a transaction-pooling PgBouncer the next
//! transaction may run on another server connection. Who needs a timeout sets it with `SET LOCAL`
//! inside its transaction.

use std::str::FromStr;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::nodelay;
use crate::settings::DatabaseSettings;

/// A request that found no connection for this long is better answered with a 503.
const ACQUIRE: Duration = Duration::from_secs(5);

/// Connections are renewed, so that a failover or a new password reaches all of them in time.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// What a pool is for.
#[derive(Debug, Clone)]
pub struct PoolShape {
    /// Shown by Postgres as `application_name`, for example `tollkeeper-api fill`.
    pub name: &'static str,
    pub max_connections: u32,
    pub acquire_timeout: Duration,
    /// Whether rows are sent by `COPY`.
    pub copies: bool,
}

impl PoolShape {
    /// A pool of at most `max_connections` with the usual patience.
    #[must_use]
    pub fn new(name: &'static str, max_connections: u32) -> Self {
        Self {
            name,
            max_connections,
            acquire_timeout: ACQUIRE,
            copies: false,
        }
    }

    /// The same for who sends rows by `COPY`. For processes with few connections: all are looked at with
    /// each new one to Postgres.
    #[must_use]
    pub fn copying(self) -> Self {
        Self {
            copies: true,
            ..self
        }
    }
}

/// A pool that connects when it is first used, so that a process can start while Postgres is away.
///
/// # Errors
/// When the URL cannot be understood.
pub fn pool(settings: &DatabaseSettings, shape: &PoolShape) -> Result<PgPool, sqlx::Error> {
    let options = connect_options(settings, shape.name)?;
    let mut pool = PgPoolOptions::new()
        .max_connections(shape.max_connections)
        .acquire_timeout(shape.acquire_timeout)
        .max_lifetime(LIFETIME);
    if shape.copies {
        pool = pool.after_connect(|_, _| {
            Box::pin(async {
                if let Err(error) = nodelay::send_at_once() {
                    tracing::debug!(%error, "copies to Postgres may wait 40 ms");
                }
                Ok(())
            })
        });
    }
    Ok(pool.connect_lazy_with(options))
}

/// How to open a single connection, for those who hold one of their own.
///
/// # Errors
/// When the URL cannot be understood.
pub fn connect_options(
    settings: &DatabaseSettings,
    name: &str,
) -> Result<PgConnectOptions, sqlx::Error> {
    Ok(PgConnectOptions::from_str(settings.url.expose())?
        .application_name(name)
        // A startup parameter that PgBouncer refuses; results arrive in binary form anyway.
        .extra_float_digits(None))
}
