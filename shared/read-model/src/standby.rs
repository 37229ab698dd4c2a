//! How far a streaming replica is behind the primary, by where each is in the write-ahead log.

use sqlx::{PgExecutor, PgPool};

/// A server of Postgres, and the database on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The cluster: a replica has its primary's.
    pub system: i64,
    /// The database's name.
    pub database: String,
}

/// A primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Primary {
    /// Which one.
    pub identity: Identity,
    /// Up to where its write-ahead log is on its disk: all that was committed lies before it.
    pub flushed: i64,
}

/// A server that may be a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standby {
    /// Of which primary.
    pub identity: Identity,
    /// Whether it follows one: one that was promoted does not.
    pub follows: bool,
    /// Up to where it shows what the primary has written.
    pub replayed: i64,
}

/// Where the primary is.
///
/// # Errors
/// If it does not answer, or is none.
pub async fn primary(db: &PgPool) -> Result<Primary, sqlx::Error> {
    let row = sqlx::query!(
        r#"select (select system_identifier from pg_control_system()) as "system!",
            current_database()::text as "database!",
            pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint as "flushed!""#,
    )
    .fetch_one(db)
    .await?;
    Ok(Primary {
        identity: Identity {
            system: row.system,
            database: row.database,
        },
        flushed: row.flushed,
    })
}

/// Where the replica is.
///
/// # Errors
/// If it does not answer.
pub async fn standby(db: impl PgExecutor<'_>) -> Result<Standby, sqlx::Error> {
    let row = sqlx::query!(
        r#"select (select system_identifier from pg_control_system()) as "system!",
            current_database()::text as "database!", pg_is_in_recovery() as "follows!",
            coalesce(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint, 0) as "replayed!""#,
    )
    .fetch_one(db)
    .await?;
    Ok(Standby {
        identity: Identity {
            system: row.system,
            database: row.database,
        },
        follows: row.follows,
        replayed: row.replayed,
    })
}
