//! The span of a batch on its way to the broker: a trace of its own that links to the requests whose
//! usage it carries, as many requests go in one batch. There is one where one of them is recorded.

use async_nats::HeaderMap;
use tollkeeper_telemetry::trace::{
    Context, KeyValue, Link, SpanBuilder, SpanContext, SpanKind, TraceContextExt, Traces, write,
};

use super::lane::Outgoing;
use crate::message;
use crate::spool::Spool;
use crate::wire::BatchHeader;

/// Where messages come from, for their headers.
#[derive(Default)]
pub(super) struct Marks {
    pub(super) node: Option<uuid::Uuid>,
    pub(super) traces: Option<Traces>,
}

/// The span of one batch, if it has one.
pub(super) struct Sending(Option<Context>);

impl Marks {
    /// The headers of a message.
    pub(super) fn headers(&self, batch: &BatchHeader, checksum: u32, attempt: u32) -> HeaderMap {
        let mut headers = message::headers(batch, checksum, attempt);
        if let Some(node) = self.node {
            headers.insert(message::NODE, node.to_string());
        }
        headers
    }

    /// Begins the span of a batch, and has its headers tell of it.
    pub(super) fn begin(
        &self,
        spool: &Spool,
        outgoing: &Outgoing,
        headers: &mut HeaderMap,
    ) -> Sending {
        let Some(traces) = &self.traces else {
            return Sending(None);
        };
        let sealed = &outgoing.sealed;
        let from = spool
            .origins()
            .take(sealed.source, sealed.first, sealed.last);
        if from.is_empty() {
            return Sending(None);
        }
        let span = traces.start(span(outgoing, from), None);
        for (name, value) in write(span.span().span_context()) {
            headers.insert(name, value);
        }
        Sending(Some(span))
    }
}

impl Sending {
    /// The broker has it.
    pub(super) fn end(self) {
        if let Self(Some(span)) = self {
            span.span().end();
        }
    }
}

fn span(outgoing: &Outgoing, from: Vec<SpanContext>) -> SpanBuilder {
    let sealed = &outgoing.sealed;
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let links = from.into_iter().map(|span| Link::new(span, Vec::new(), 0));
    SpanBuilder::from_name("publish usage.{source}")
        .with_kind(SpanKind::Producer)
        .with_links(links.collect())
        .with_attributes([
            KeyValue::new("messaging.system", "nats"),
            KeyValue::new("messaging.operation.name", "publish"),
            KeyValue::new("messaging.operation.type", "send"),
            KeyValue::new(
                "messaging.destination.name",
                message::subject(sealed.source),
            ),
            KeyValue::new("messaging.destination.template", "usage.{source}"),
            KeyValue::new(
                "messaging.batch.message_count",
                number(sealed.last + 1 - sealed.first),
            ),
            KeyValue::new("tollkeeper.usage.source", sealed.source.to_string()),
            KeyValue::new("tollkeeper.usage.first", number(sealed.first)),
            KeyValue::new("tollkeeper.usage.last", number(sealed.last)),
            KeyValue::new("tollkeeper.usage.attempt", i64::from(outgoing.attempt)),
        ])
}
