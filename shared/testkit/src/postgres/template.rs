//! The template every test's database is cloned from.

use std::hash::{DefaultHasher, Hash, Hasher};

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tollkeeper_runtime::database::MIGRATOR;

use super::database::in_database;
use super::logins;

/// Any number; all test processes of a server agree on it.
const LOCK: i64 = 0x746f_6c6c_6b65_6570;

/// Makes the template and the logins if they are not there and returns the template's name.
pub(super) async fn ensure(server: &str) -> Result<String, sqlx::Error> {
    let name = name();
    let mut connection = PgConnection::connect(server).await?;
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(LOCK)
        .execute(&mut connection)
        .await?;
    let made = if exists(&mut connection, &name).await? {
        Ok(())
    } else {
        make(&mut connection, server, &name).await
    };
    let made = match made {
        Ok(()) => logins::ensure(&mut connection).await,
        Err(error) => Err(error),
    };
    // Closing the session gives the lock back.
    connection.close().await?;
    made.map(|()| name)
}

/// Migrates under another name first, so that a run that was killed leaves no half of a template.
async fn make(connection: &mut PgConnection, server: &str, name: &str) -> Result<(), sqlx::Error> {
    let unfinished = format!("{name}_unfinished");
    for statement in [
        format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)"),
        format!("CREATE DATABASE {unfinished}"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await?;
    }
    let pool = PgPool::connect(&in_database(server, &unfinished)).await?;
    let migrated = MIGRATOR.run(&pool).await;
    pool.close().await;
    migrated?;
    let rename = format!("ALTER DATABASE {unfinished} RENAME TO {name}");
    sqlx::raw_sql(AssertSqlSafe(rename))
        .execute(connection)
        .await?;
    Ok(())
}

async fn exists(connection: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(connection)
        .await
}

fn name() -> String {
    let mut hasher = DefaultHasher::new();
    for migration in MIGRATOR.iter() {
        migration.version.hash(&mut hasher);
        migration.checksum.hash(&mut hasher);
    }
    format!("template_{:016x}", hasher.finish())
}
