//! The span of a batch from its arrival to its acknowledgement. It goes on with the trace in which the
//! batch was sent, which links to the requests whose usage it carries.

use tollkeeper_telemetry::trace::{
    Context, KeyValue, SpanBuilder, SpanKind, TraceContextExt, Traces,
};
use tollkeeper_usage::message::{CONSUMER, STREAM};

use crate::delivery::Delivery;

/// The spans of a group of batches, of those that were sent in one. Ended when it is dropped.
pub(crate) struct Processing(Vec<Context>);

impl Processing {
    /// Begins the spans of these batches.
    pub(crate) fn begin(traces: Option<&Traces>, group: &[Delivery]) -> Self {
        let Some(traces) = traces else {
            return Self(Vec::new());
        };
        let traced = group.iter().filter_map(|delivery| {
            let sent = delivery.origin.span.as_ref();
            let sent = sent.filter(|sent| traces.records(Some(sent)))?;
            Some(traces.start(span(delivery, group.len()), Some(sent)))
        });
        Self(traced.collect())
    }

    /// The batches are counted, and the broker has been told so.
    pub(crate) fn end(self) {
        for context in self.0 {
            context.span().end();
        }
    }
}

fn span(delivery: &Delivery, together: usize) -> SpanBuilder {
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let mut attributes = vec![
        KeyValue::new("messaging.system", "nats"),
        KeyValue::new("messaging.operation.name", "process"),
        KeyValue::new("messaging.operation.type", "process"),
        KeyValue::new("messaging.destination.name", delivery.subject.clone()),
        KeyValue::new("messaging.destination.template", "usage.{source}"),
        KeyValue::new("messaging.destination.subscription.name", STREAM),
        KeyValue::new("messaging.consumer.group.name", CONSUMER),
        KeyValue::new("messaging.batch.message_count", number(delivery.events())),
        KeyValue::new("tollkeeper.usage.batches", number(together)),
    ];
    if let Some(source) = delivery.source() {
        attributes.push(KeyValue::new("tollkeeper.usage.source", source.to_string()));
    }
    if let Some(node) = delivery.origin.node {
        attributes.push(KeyValue::new("tollkeeper.node.id", node.to_string()));
    }
    SpanBuilder::from_name("process usage.{source}")
        .with_kind(SpanKind::Consumer)
        .with_attributes(attributes)
}
