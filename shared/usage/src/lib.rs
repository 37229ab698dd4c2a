//! Usage on its way from the request to the database: the wire format, the spool that takes events
//! on the request path, the publisher that moves them to the broker, and the ledger that says what
//! has been counted.
//!
//! The promise: an event that [`Spool::append`] accepted is sent at least once and counted once,
//! across `kill -9` of the process. After a power loss, what the broker had not acknowledged may be
//! missing.

pub mod histogram;
pub mod ledger;
pub mod message;
pub mod publisher;
pub mod ranges;
pub mod reporter;
mod scrubber;
pub mod spool;
pub mod text;
pub mod wire;

pub use ledger::{LedgerError, LedgerReader, PostgresLedger};
pub use publisher::{Drained, Publisher, PublisherHandle, PublisherSettings};
pub use reporter::{MarkError, MarkKeeper, PostgresMarks, Reporter};
pub use scrubber::Scrubber;
pub use spool::{
    FullPolicy, Origins, Place, Spool, SpoolError, SpoolFull, SpoolSettings, SpoolStats,
};
