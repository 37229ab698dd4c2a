//! What a batch message is called and what its headers say.

use async_nats::HeaderMap;
use uuid::Uuid;

use crate::wire::{BatchHeader, BatchKind};

/// The stream that carries usage.
pub const STREAM: &str = "USAGE";

/// The durable consumer all ingestors share.
pub const CONSUMER: &str = "ingestor";

/// The subjects of the stream, one token for the source.
pub const SUBJECTS: &str = "usage.*";

/// The source, for people and tools that look at the stream; the body says the same.
pub const SOURCE: &str = "Tollkeeper-Source";
/// The number of the first event.
pub const FIRST: &str = "Tollkeeper-First";
/// The number of the last event.
pub const LAST: &str = "Tollkeeper-Last";
/// CRC-32 of the body's records, in hexadecimal.
pub const CHECKSUM: &str = "Tollkeeper-Checksum";

/// The subject of a source's messages.
#[must_use]
pub fn subject(source: Uuid) -> String {
    format!("usage.{source}")
}

/// The source a subject names.
#[must_use]
pub fn source_of(subject: &str) -> Option<Uuid> {
    Uuid::parse_str(subject.strip_prefix("usage.")?).ok()
}

/// The headers of a batch. `attempt` is part of the message id by which the broker refuses
/// duplicates for a while: a retry keeps the number and is swallowed if the first try arrived. Only
/// evidence that the broker has lost the message justifies a higher one.
#[must_use]
pub(crate) fn headers(batch: &BatchHeader, checksum: u32, attempt: u32) -> HeaderMap {
    let (source, first, last) = (batch.source, batch.first, batch.last);
    let id = match batch.kind {
        BatchKind::Events => format!("{source}:{first}:{attempt}"),
        BatchKind::Close => format!("{source}:close:{last}:{attempt}"),
        BatchKind::Dropped => format!("{source}:dropped:{first}-{last}:{attempt}"),
    };
    let mut headers = HeaderMap::new();
    headers.insert(async_nats::header::NATS_MESSAGE_ID, id);
    headers.insert(SOURCE, source.to_string());
    headers.insert(FIRST, first.to_string());
    headers.insert(LAST, last.to_string());
    headers.insert(CHECKSUM, format!("{checksum:08x}"));
    headers
}
