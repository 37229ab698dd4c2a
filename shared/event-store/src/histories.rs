//! Reads the log for those who make everything anew from it: history after history, with the chain
//! of hashes checked on the way.

use std::collections::HashMap;

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::audit::{AuditError, broken, step};
use crate::follow::{Head, page};
use crate::stored::{EventRow, ReadError, StoredEvent};

const PAGE: i64 = 2000;

/// A walk over all events up to one end of the log, ordered by history, and within a history by
/// version.
///
/// Every event is checked against the hash of the one before it in the log. When the walk is over,
/// all positions up to the end have been seen and each fits on the one before it, so the chain is
/// whole, although it was not walked in its own order.
#[derive(Debug)]
pub struct Histories {
    end: Head,
    stream: Uuid,
    version: i64,
    seen: i64,
}

impl Histories {
    /// A walk up to `end`.
    #[must_use]
    pub fn up_to(end: Head) -> Self {
        Self {
            end,
            stream: Uuid::nil(),
            version: 0,
            seen: 0,
        }
    }

    /// The next events; none when all have been seen. A history may go on in the next answer.
    ///
    /// # Errors
    /// [`AuditError::Broken`] if an event does not fit on the one before it, or one is missing.
    pub async fn next(&mut self, db: &mut PgConnection) -> Result<Vec<StoredEvent>, AuditError> {
        let rows = sqlx::query_as!(
            EventRow,
            "select position, event_id, stream_type, stream_id, stream_version, type,
                schema_version, payload, actor, request_id, occurred_at, recorded_at, hash,
                account_id
            from events
            where (stream_id, stream_version) > ($1, $2) and position <= $3
            order by stream_id, stream_version limit $4",
            self.stream,
            self.version,
            self.end.position,
            PAGE,
        )
        .fetch_all(&mut *db)
        .await
        .map_err(ReadError::from)?;
        let Some(last) = rows.last() else {
            // Whoever follows on a missing event was refused, so only the last can be missing.
            return if self.seen == self.end.position {
                Ok(Vec::new())
            } else {
                Err(broken(self.seen + 1, "missing"))
            };
        };
        (self.stream, self.version) = (last.stream_id, last.stream_version);
        self.seen += i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let before = hashes_before(db, &rows).await?;
        let checked = rows.into_iter().map(|row| {
            let previous = row.position - 1;
            let hash = match before.get(&previous) {
                _ if previous == 0 => [0; 32],
                Some(hash) => *hash,
                None => return Err(broken(previous, "missing")),
            };
            let walked = step(
                Head {
                    position: previous,
                    hash,
                },
                &row,
            )?;
            if walked.position == self.end.position && walked.hash != self.end.hash {
                return Err(broken(walked.position, "the head names another hash"));
            }
            Ok(row.read()?)
        });
        checked.collect()
    }
}

/// The hashes at the positions before those of `rows`.
async fn hashes_before(
    db: &mut PgConnection,
    rows: &[EventRow],
) -> Result<HashMap<i64, [u8; 32]>, ReadError> {
    let positions: Vec<i64> = rows.iter().map(|row| row.position - 1).collect();
    let found = sqlx::query!(
        "select position, hash from events where position = any ($1)",
        &positions,
    )
    .fetch_all(db)
    .await?;
    let hashes = found.into_iter().map(|row| {
        let hash = row.hash.try_into().map_err(|_| ReadError::Damaged {
            position: row.position,
            what: "the hash is not 32 bytes",
        });
        Ok((row.position, hash?))
    });
    hashes.collect()
}

/// At most `limit` events after `walked`, in order, each checked against the one before it.
///
/// # Errors
/// [`AuditError::Broken`] at the first that does not fit.
pub async fn read_checked(
    db: impl PgExecutor<'_>,
    walked: Head,
    limit: i64,
) -> Result<Vec<StoredEvent>, AuditError> {
    let mut walked = walked;
    let mut events = Vec::new();
    for row in page(db, walked.position, limit).await? {
        walked = step(walked, &row)?;
        events.push(row.read()?);
    }
    Ok(events)
}

/// The next events after `after` (a stream and a version) of the histories of `streams` up to
/// `position`, in the order of [`Histories`]; none when there are no more. They are not checked.
///
/// # Errors
/// [`ReadError`] if the database does not answer or an event cannot be read.
pub async fn histories_of(
    db: impl PgExecutor<'_>,
    streams: &[Uuid],
    after: (Uuid, u64),
    position: i64,
) -> Result<Vec<StoredEvent>, ReadError> {
    let rows = sqlx::query_as!(
        EventRow,
        "select position, event_id, stream_type, stream_id, stream_version, type, schema_version,
            payload, actor, request_id, occurred_at, recorded_at, hash, account_id
        from events
        where stream_id = any ($1) and (stream_id, stream_version) > ($2, $3) and position <= $4
        order by stream_id, stream_version limit $5",
        streams,
        after.0,
        i64::try_from(after.1).unwrap_or(i64::MAX),
        position,
        PAGE,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(EventRow::read).collect()
}
