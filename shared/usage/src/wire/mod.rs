//! The usage wire format: how one event and one batch of events look as bytes.
//!
//! A *record* is one event; it is what lies in a spool slot and, unchanged, in a batch. A *batch* is
//! one JetStream message. All integers are little-endian. Both formats carry a version and a golden
//! test freezes them: records written by an older binary are read by a newer one after an upgrade.

mod batch;
mod record;

pub use batch::{Batch, BatchBuilder, BatchError, BatchHeader, BatchKind, MAX_BATCH_RECORDS};
pub use record::{MAX_RECORD_BYTES, RecordError, at_micros, decode, encode, encoded_len};
