//! The schema a binary was built for.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::{PgConnection, PgPool, Row};

/// All migrations, compiled in. They take a session lock while they run: point
/// `tollkeeper migrate` at Postgres itself, not at a transaction-pooling PgBouncer.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// An answer that takes longer is none: the host may have died without a word.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the schema does not fit.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("the schema is behind, migration {0} is missing: run `tollkeeper migrate`")]
    Behind(i64),

    #[error("migration {0} stopped half-way; it needs a person")]
    Dirty(i64),

    #[error("migration {0} was applied with another content than this binary knows")]
    Changed(i64),

    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl SchemaError {
    /// Whether waiting can help: the database may come back and somebody may migrate it.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Behind(_) | Self::Database(_))
    }
}

/// Checks that every migration this binary knows has been applied. A newer schema is welcome: a
/// rolling update migrates first, while the older binaries are still serving.
///
/// # Errors
/// When the schema does not fit or cannot be read in time.
pub async fn check_schema(pool: &PgPool) -> Result<(), SchemaError> {
    check_schema_for(&MIGRATOR, pool).await
}

/// As [`check_schema`], for a binary that knows these migrations.
///
/// # Errors
/// As [`check_schema`].
pub async fn check_schema_for(migrator: &Migrator, pool: &PgPool) -> Result<(), SchemaError> {
    let mut connection = pool.acquire().await?;
    let applied = match tokio::time::timeout(PATIENCE, applied(&mut connection)).await {
        Ok(applied) => applied?,
        Err(late) => {
            // Nobody knows what else would come over this connection.
            drop(connection.detach());
            return Err(sqlx::Error::Io(late.into()).into());
        }
    };
    for migration in migrator.iter() {
        if migration.migration_type.is_down_migration() {
            continue;
        }
        let Some((success, checksum)) = applied.get(&migration.version) else {
            return Err(SchemaError::Behind(migration.version));
        };
        if !success {
            return Err(SchemaError::Dirty(migration.version));
        }
        if checksum.as_slice() != migration.checksum.as_ref() {
            return Err(SchemaError::Changed(migration.version));
        }
    }
    Ok(())
}

async fn applied(
    connection: &mut PgConnection,
) -> Result<HashMap<i64, (bool, Vec<u8>)>, sqlx::Error> {
    // The table is the migrator's own and missing in an empty database, so the statement cannot
    // be one of those that are checked at compile time.
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query("SELECT version, success, checksum FROM _sqlx_migrations")
        .fetch_all(connection)
        .await?;
    rows.into_iter()
        .map(|row| {
            let state = (row.try_get("success")?, row.try_get("checksum")?);
            Ok((row.try_get("version")?, state))
        })
        .collect()
}
