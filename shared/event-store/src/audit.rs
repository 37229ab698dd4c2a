//! Walks the chain of hashes and names the first place where it is broken.

use std::collections::HashMap;

use sqlx::PgPool;
use uuid::Uuid;

use crate::canonical::{CanonicalError, Envelope, chain_hash, digest, to_canonical};
use crate::follow::{Head, head, page};
use crate::stored::{EventRow, ReadError};

const PAGE: i64 = 1000;

/// A chain that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditReport {
    /// The last event that was checked. A chain does not show that its tail was cut off: compare
    /// this with what was kept elsewhere.
    pub head: Head,
}

/// Why the chain is not known to be whole.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database did not answer or a row is damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The payload has no canonical form.
    #[error("event {position}: {source}")]
    Canonical {
        /// Where it stands.
        position: i64,
        /// What is wrong.
        source: CanonicalError,
    },
    /// The first place where the chain is broken.
    #[error("the chain is broken at event {position}: {what}")]
    Broken {
        /// Where it stands.
        position: i64,
        /// What does not fit.
        what: &'static str,
    },
}

/// Checks every event up to the head as it is at the start.
///
/// # Errors
/// [`AuditError::Broken`] at the first event that does not fit on those before it.
pub async fn verify_chain(pool: &PgPool) -> Result<AuditReport, AuditError> {
    let target = head(pool).await?;
    let mut walked = Head {
        position: 0,
        hash: [0; 32],
    };
    let mut owners = HashMap::new();
    while walked.position < target.position {
        let limit = PAGE.min(target.position - walked.position);
        let rows = page(pool, walked.position, limit).await?;
        if rows.is_empty() {
            return Err(broken(walked.position + 1, "missing"));
        }
        for row in rows {
            walked = step(walked, &row)?;
            check_account(&row, &mut owners)?;
        }
    }
    if walked.hash == target.hash {
        Ok(AuditReport { head: walked })
    } else {
        Err(broken(walked.position, "the head names another hash"))
    }
}

pub(crate) fn broken(position: i64, what: &'static str) -> AuditError {
    AuditError::Broken { position, what }
}

/// Checks the event that follows on `walked`, and tells where the walk is after it.
pub(crate) fn step(walked: Head, row: &EventRow) -> Result<Head, AuditError> {
    let position = walked.position + 1;
    if row.position != position {
        return Err(broken(position, "missing"));
    }
    let canonical = |source| AuditError::Canonical { position, source };
    let payload = row.payload()?;
    if to_canonical(&payload).map_err(canonical)? != row.payload {
        return Err(broken(position, "the payload is not in canonical form"));
    }
    let envelope = Envelope {
        actor: &row.actor,
        event_id: row.event_id,
        occurred_at: row.occurred_at,
        payload: &payload,
        request_id: &row.request_id,
        schema_version: row.schema_version()?,
        stream_id: row.stream_id,
        stream_type: &row.stream_type,
        stream_version: row.stream_version()?,
        name: &row.r#type,
    };
    let digest = digest(&envelope).map_err(canonical)?;
    let hash = chain_hash(&walked.hash, position, row.recorded_at, &digest);
    if hash == row.hash()? {
        Ok(Head { position, hash })
    } else {
        Err(broken(position, "the hash does not fit"))
    }
}

/// The account of an event is not hashed, because it follows from what is: an account's stream is
/// its own, and a token's belongs to the account that its first event names, for good.
fn check_account(row: &EventRow, owners: &mut HashMap<Uuid, Uuid>) -> Result<(), AuditError> {
    let owner = if row.stream_type == "account" {
        Some(row.stream_id)
    } else if row.stream_version == 1 {
        let payload = row.payload()?;
        let named = payload["account_id"].as_str();
        let owner = named.and_then(|id| id.parse().ok());
        owners.extend(owner.map(|owner| (row.stream_id, owner)));
        owner
    } else {
        owners.get(&row.stream_id).copied()
    };
    if owner == Some(row.account_id) {
        Ok(())
    } else {
        Err(broken(row.position, "the account is not the stream's"))
    }
}
