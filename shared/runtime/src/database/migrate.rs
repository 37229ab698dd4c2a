//! Bringing the schema to what a release needs, while the release before goes on serving.

use std::collections::HashSet;
use std::error::Error;
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::migrate::{Migrate, MigrateError, Migration, Migrator};

/// Where the migrator keeps what it has applied.
const TABLE: &str = "_sqlx_migrations";

/// Whoever wants a table for itself waits for those who use it, and everybody who comes later waits for
/// both. So a migration gives up its place in the queue this soon, and lets them pass.
const LOCK_TIMEOUT: &str = "500ms";

/// How long others may pass before it is tried again, and how often: five minutes in all.
const PAUSE: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 120;

/// What a migrator holds while it works. Whoever comes second asks for it again and again, and waits
/// between the questions, not within one: an index that is built beside its table waits for every statement
/// that began before, so that one which waits for this migrator would never end.
const ALONE: i64 = 0x746b_6d69_6772_6174;
const TURN: Duration = Duration::from_millis(500);

/// What Postgres says when a lock was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Applies the migrations that are missing and returns the newest that is applied by then, which may be
/// one of a newer release: that was there before, and is left as it is. One that waits for a table in use
/// is tried again for five minutes.
///
/// On an error the connection still holds the lock that keeps other migrators away: close it.
///
/// # Errors
/// If a migration fails, or one that was applied is not what `migrator` has under its number.
pub async fn migrate(
    migrator: &Migrator,
    connection: &mut PgConnection,
) -> Result<i64, MigrateError> {
    let mut known = Migrator::with_migrations(migrator.iter().cloned().collect());
    known.set_ignore_missing(true);
    // Another migrator is waited for as long as it takes.
    be_alone(connection).await?;
    connection.lock().await?;
    connection.ensure_migrations_table(TABLE).await?;
    let applied = connection.list_applied_migrations(TABLE).await?;
    let applied: HashSet<i64> = applied.iter().map(|it| it.version).collect();
    for migration in known.iter() {
        let is_down = migration.migration_type.is_down_migration();
        if !is_down && !applied.contains(&migration.version) {
            apply(&known, migration, connection).await?;
        }
    }
    set_lock_timeout(connection, "0").await?;
    // Compares those that were there with what is known of them.
    known.run(&mut *connection).await?;
    let applied = connection.list_applied_migrations(TABLE).await?;
    connection.unlock().await?;
    sqlx::query("SELECT pg_advisory_unlock($1)")
        .bind(ALONE)
        .execute(connection)
        .await?;
    Ok(applied.iter().map(|it| it.version).max().unwrap_or(0))
}

async fn be_alone(connection: &mut PgConnection) -> Result<(), MigrateError> {
    loop {
        let is_alone = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(ALONE)
            .fetch_one(&mut *connection)
            .await?;
        if is_alone {
            return Ok(());
        }
        tokio::time::sleep(TURN).await;
    }
}

async fn apply(
    known: &Migrator,
    migration: &Migration,
    connection: &mut PgConnection,
) -> Result<(), MigrateError> {
    // What runs outside a transaction, such as an index that is built beside its table, holds nobody up
    // while it waits, and cannot simply be tried again.
    let timeout = if migration.no_tx { "0" } else { LOCK_TIMEOUT };
    set_lock_timeout(connection, timeout).await?;
    let mut attempt = 1;
    loop {
        match known.run_to(migration.version, &mut *connection).await {
            Err(error) if attempt < ATTEMPTS && is_about_a_lock(&error) => {
                if attempt == 1 {
                    tracing::warn!(migration.version, "waiting for a table that is in use");
                }
                tokio::time::sleep(PAUSE).await;
                attempt += 1;
            }
            done => return done,
        }
    }
}

async fn set_lock_timeout(
    connection: &mut PgConnection,
    timeout: &str,
) -> Result<(), MigrateError> {
    sqlx::query("SELECT set_config('lock_timeout', $1, false)")
        .bind(timeout)
        .execute(connection)
        .await?;
    Ok(())
}

fn is_about_a_lock(error: &MigrateError) -> bool {
    let mut link: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = link {
        if let Some(sqlx::Error::Database(said)) = error.downcast_ref() {
            return said.code().as_deref() == Some(LOCK_NOT_AVAILABLE);
        }
        link = error.source();
    }
    false
}
