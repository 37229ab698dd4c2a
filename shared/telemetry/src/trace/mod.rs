//! Traces: which work of which program belongs to one request, in the terms of OpenTelemetry and of the
//! W3C's Trace Context.
//!
//! Here is what everybody needs who records a span or hands a trace on. Where spans go is decided by the
//! program that makes [`Traces`]; a program without them records nothing, and hands nothing on.
//!
//! A span holds no secret, no address of a person and no path as it came.

mod context;
mod spans;

pub use context::{TRACEPARENT, TRACESTATE, read, write};
pub use opentelemetry::context::FutureExt;
pub use opentelemetry::global::BoxedTracer;
pub use opentelemetry::trace::{Link, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt};
pub use opentelemetry::{Context, KeyValue};
pub use spans::{Traces, current, trace_id};

use metrics::Unit;

use crate::kinds::Counter;
use crate::labels::Label;

/// Spans that the receiver has taken.
pub const SPANS_EXPORTED: Counter = Counter {
    name: "tollkeeper_trace_spans_exported_total",
    unit: Unit::Count,
    description: "Spans of traces that the OTLP receiver has taken",
    labels: &[],
};

/// Spans that were lost.
pub const SPANS_DROPPED: Counter = Counter {
    name: "tollkeeper_trace_spans_dropped_total",
    unit: Unit::Count,
    description: "Spans of traces that were dropped: the queue was full, or the OTLP receiver did not \
                  take them",
    labels: &[Label::one("reason", &["queue_full", "export_failed"])],
};
