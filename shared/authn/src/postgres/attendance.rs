//! The row of this node in `nodes`, written by the statement that reads the log's head.

use sqlx::PgConnection;
use uuid::Uuid;

use super::rows::{NO_HEAD, database, log_head, primary_only};
use crate::feed::LogHead;
use crate::source::{Attendance, SourceError};

/// Added to the time for which a node may answer, in seconds, for clocks that do not go at the same
/// pace.
const MARGIN: f64 = 1.0;

/// How many nodes one registrar may have, those of the last day among them: they are named in every
/// receipt.
const MOST_NODES: i64 = 1_000;

/// What Postgres raises where nothing can be written, as on a replica.
const READ_ONLY: &str = "25006";

/// A node, by which it is told apart.
#[derive(Debug, Clone)]
pub struct Node {
    /// New at each start.
    pub id: Uuid,
    /// The name of the machine, for people.
    pub name: String,
    /// The version of the program.
    pub version: String,
    /// Who has registered it over the API; none for a node that has the database itself. Nobody else
    /// can go on with it.
    pub registrar: Option<String>,
}

/// Writes that the node is there, and reads the log's head as of then. What it says to have applied
/// is believed only where it is what this log holds.
///
/// # Errors
/// [`SourceError::NotOurs`] if another has registered the node, [`SourceError::TooManyNodes`] if it is
/// new and its registrar has enough of them, else why the primary did not answer.
pub async fn attend(
    connection: &mut PgConnection,
    node: &Node,
    attendance: Attendance,
) -> Result<LogHead, SourceError> {
    if attendance.applied.is_none() {
        forget_the_gone(connection).await?;
    }
    let applied = attendance.applied;
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let row = sqlx::query!(
        r#"with head as (
            select position, hash, generation from event_log_head
        ),
        noted as (
            insert into nodes
                (id, name, version, registered_at, position, reported_at, valid_until,
                registered_by)
            select $1, $2, $3, clock_timestamp(),
                case when head.generation = $6::bigint and ($4::bigint = 0 or exists (
                    select from events where events.position = $4::bigint and events.hash = $5
                )) then $4::bigint end,
                clock_timestamp(), clock_timestamp() + make_interval(secs => $7),
                $8
            from head
            where $8::text is null
                or exists (select from nodes where id = $1)
                or (select count(*) from nodes where registered_by = $8) < $9
            on conflict (id) do update set position = excluded.position,
                reported_at = excluded.reported_at, valid_until = excluded.valid_until
            where nodes.registered_by is not distinct from excluded.registered_by
            returning id
        )
        select position, hash, generation, pg_is_in_recovery() as "replica!",
            exists (select from noted) as "noted!",
            exists (select from nodes where id = $1) as "known!"
        from head"#,
        node.id,
        node.name,
        node.version,
        applied.map(|head| whole(head.position)),
        applied.as_ref().map(|head| head.hash.as_slice()),
        applied.map(|head| whole(head.generation)),
        attendance.valid_for.map(|time| time.as_secs_f64() + MARGIN),
        node.registrar,
        MOST_NODES,
    )
    .fetch_optional(connection)
    .await
    .map_err(refused)?
    .ok_or(NO_HEAD)?;
    primary_only(row.replica)?;
    match (row.noted, row.known) {
        (true, _) => {}
        (false, true) => return Err(SourceError::NotOurs),
        (false, false) => return Err(SourceError::TooManyNodes),
    }
    log_head(row.position, &row.hash, row.generation)
}

/// Removes the node, and tells whether this registrar had it.
///
/// # Errors
/// [`SourceError`] if the primary does not answer.
pub async fn leave(
    connection: &mut PgConnection,
    id: Uuid,
    registrar: Option<&str>,
) -> Result<bool, SourceError> {
    let done = sqlx::query!(
        "delete from nodes where id = $1 and registered_by is not distinct from $2",
        id,
        registrar,
    )
    .execute(connection)
    .await
    .map_err(refused)?;
    Ok(done.rows_affected() == 1)
}

/// Removes nodes that have not answered for a day.
async fn forget_the_gone(connection: &mut PgConnection) -> Result<(), SourceError> {
    sqlx::query!(
        "delete from nodes where id in (
            select id from nodes where valid_until < clock_timestamp() - interval '1 day'
            for update skip locked
        )"
    )
    .execute(connection)
    .await
    .map_err(refused)?;
    Ok(())
}

fn refused(error: sqlx::Error) -> SourceError {
    let code = error.as_database_error().and_then(|it| it.code());
    if code.is_some_and(|code| code == READ_ONLY) {
        SourceError::Replica
    } else {
        database(error)
    }
}
