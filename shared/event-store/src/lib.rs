//! The log of events: append, load, follow, checkpoints.
//!
//! This crate knows how events are stored and in which order. It never decides anything about
//! tokens or accounts, and it does not know what is projected from the events: the rows that go
//! into the same transaction are handed to it as they are.

mod append;
mod audit;
mod canonical;
mod checkpoint;
mod feed;
mod follow;
mod histories;
mod known;
mod load;
mod marks;
mod stored;
mod writer;

pub use append::{AppendError, Appended, NewEvent, NewTokens, Rows, Submission};
pub use audit::{AuditError, AuditReport, verify_chain};
pub use canonical::{CanonicalError, chain_hash, digest, to_canonical};
pub use checkpoint::{Lease, LeaseError, checkpoint, lease, move_checkpoint};
pub use feed::{FeedFilter, FeedPage, feed, history, tokens_until};
pub use follow::{FollowError, Head, head, now, read_after, read_matching};
pub use histories::{Histories, histories_of, read_checked};
pub use known::known;
pub use load::{load, load_tokens};
pub use marks::{Mark, marks};
pub use stored::{ReadError, StoredEvent};
pub use writer::{Writer, WriterHandle};
