//! The rows of webhooks. They are configuration: nothing here is projected from the log, and nothing
//! here writes to it.

pub(super) mod attempts;
pub(super) mod endpoints;
pub(super) mod queue;
pub(super) mod secrets;

/// A stored value that no writer of ours writes.
#[derive(Debug, thiserror::Error)]
#[error("column {0} holds a value that is not known")]
struct Unknown(&'static str);

fn unknown(column: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(Unknown(column)))
}
