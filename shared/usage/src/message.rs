//! What a batch message is called and what its headers say.

use async_nats::HeaderMap;
use tollkeeper_telemetry::trace::{SpanContext, TRACEPARENT, TRACESTATE, read};
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
/// The node whose spool it comes from, as `GET /v1/nodes` names it.
pub const NODE: &str = "Tollkeeper-Node";
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

/// What the headers of a batch say of its way. It is for people: nothing is decided by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The node whose spool the batch comes from.
    pub node: Option<Uuid>,
    /// The span in which it was sent.
    pub span: Option<SpanContext>,
}

impl Origin {
    /// Reads the headers of a message. What is not in order is left out.
    #[must_use]
    pub fn of(headers: Option<&HeaderMap>) -> Self {
        let text = |name: &str| headers?.get(name).map(async_nats::HeaderValue::as_str);
        let span = text(TRACEPARENT).and_then(|parent| read(parent, text(TRACESTATE)));
        Self {
            node: text(NODE).and_then(|node| Uuid::parse_str(node).ok()),
            span,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_is_in_order_of_the_headers() {
        let node = Uuid::from_u128(7);
        let mut headers = HeaderMap::new();
        assert_eq!(Origin::of(None), Origin::default());
        assert_eq!(Origin::of(Some(&headers)), Origin::default());
        headers.insert(NODE, node.to_string());
        headers.insert(
            TRACEPARENT,
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        );
        let origin = Origin::of(Some(&headers));
        assert_eq!(origin.node, Some(node));
        assert!(origin.span.is_some_and(|span| span.is_sampled()));
        headers.insert(NODE, "tk_live_x");
        headers.insert(
            TRACEPARENT,
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        );
        assert_eq!(Origin::of(Some(&headers)), Origin::default());
    }
}
