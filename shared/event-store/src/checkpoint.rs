//! How far a follower of the log has come, and who may say so.
//!
//! A follower leases its checkpoint before it works. The fence that comes with the lease grows with
//! each new holder; a checkpoint moves only for the newest one and only from where it was, so a
//! holder that lost its lease without noticing cannot set it back.

use std::time::Duration;

use sqlx::PgExecutor;

/// The right to follow the log under a name for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The follower's name.
    pub name: String,
    /// Events up to here are done.
    pub position: i64,
    /// Tells this holder from earlier ones.
    pub fence: i64,
}

/// Why a checkpoint did not move.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The database did not answer.
    #[error("the checkpoint cannot be reached: {0}")]
    Database(#[from] sqlx::Error),
    /// Somebody else holds the lease by now.
    #[error("the lease on this checkpoint was lost")]
    Lost,
}

/// Where the checkpoint called `name` is, whoever holds it; none if nobody ever did.
///
/// # Errors
/// If the database does not answer.
pub async fn checkpoint(db: impl PgExecutor<'_>, name: &str) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!("select position from checkpoints where name = $1", name)
        .fetch_optional(db)
        .await
}

/// Takes the lease called `name` for `length` unless somebody holds it; begins with position 0.
///
/// # Errors
/// If the database does not answer.
pub async fn lease(
    db: impl PgExecutor<'_>,
    name: &str,
    length: Duration,
) -> Result<Option<Lease>, sqlx::Error> {
    let row = sqlx::query!(
        "insert into checkpoints as c (name, position, fence, leased_until)
        values ($1, 0, 1, clock_timestamp() + make_interval(secs => $2))
        on conflict (name) do update
        set fence = c.fence + 1, leased_until = excluded.leased_until
        where c.leased_until < clock_timestamp()
        returning position, fence",
        name,
        length.as_secs_f64(),
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Lease {
        name: name.to_owned(),
        position: row.position,
        fence: row.fence,
    }))
}

/// Moves the checkpoint to `position` and holds the lease for another `length`. The same position
/// again only renews the lease; a length of zero gives it back.
///
/// # Errors
/// [`LeaseError::Lost`] if somebody else has taken the lease since.
pub async fn move_checkpoint(
    db: impl PgExecutor<'_>,
    lease: &mut Lease,
    position: i64,
    length: Duration,
) -> Result<(), LeaseError> {
    let moved = sqlx::query!(
        "update checkpoints
        set position = $4, leased_until = clock_timestamp() + make_interval(secs => $5)
        where name = $1 and fence = $2 and position = $3 and $4 >= position",
        lease.name,
        lease.fence,
        lease.position,
        position,
        length.as_secs_f64(),
    )
    .execute(db)
    .await?;
    if moved.rows_affected() == 1 {
        lease.position = position;
        Ok(())
    } else {
        Err(LeaseError::Lost)
    }
}
