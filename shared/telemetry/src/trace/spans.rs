//! Recording spans.

use std::fmt;
use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::{SpanBuilder, SpanContext, TraceContextExt, Tracer};

/// Records spans. Clones share where they go.
#[derive(Clone)]
pub struct Traces {
    tracer: Arc<BoxedTracer>,
    ratio: f64,
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces")
            .field("ratio", &self.ratio)
            .finish_non_exhaustive()
    }
}

impl Traces {
    /// Traces whose spans go to `tracer`, which must take every span that it is given. Of the requests
    /// whose senders do not say whether they are recorded, this part is: 0 none, 1 all of them.
    #[must_use]
    pub fn new(tracer: BoxedTracer, ratio: f64) -> Self {
        Self {
            tracer: Arc::new(tracer),
            ratio,
        }
    }

    /// Whether a request is recorded: its sender has decided that, or chance does.
    #[must_use]
    pub fn records(&self, sender: Option<&SpanContext>) -> bool {
        match sender {
            Some(sender) => sender.is_sampled(),
            None => self.ratio > 0.0 && fastrand::f64() < self.ratio,
        }
    }

    /// Begins a span, within that of `parent` or a trace of its own, and gives the context that it is
    /// in. It lasts until it is ended, or the context with all its clones is gone.
    #[must_use]
    pub fn start(&self, span: SpanBuilder, parent: Option<&SpanContext>) -> Context {
        let within = match parent {
            Some(parent) => Context::new().with_remote_span_context(parent.clone()),
            None => Context::new(),
        };
        let span = self.tracer.build_with_context(span, &within);
        within.with_span(span)
    }
}

/// The span that the running task is in, recorded or only handed on; `None` if it is in none.
#[must_use]
pub fn current() -> Option<SpanContext> {
    Context::map_current(|context| {
        let span = context.span();
        let span = span.span_context();
        span.is_valid().then(|| span.clone())
    })
}

/// The trace that the running task is in, for its lines of the log, if its spans are recorded.
#[must_use]
pub fn trace_id() -> Option<String> {
    let recorded = current().filter(SpanContext::is_sampled);
    recorded.map(|span| span.trace_id().to_string())
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::noop::NoopTracer;
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    fn traces(ratio: f64) -> Traces {
        Traces::new(BoxedTracer::new(Box::new(NoopTracer::new())), ratio)
    }

    fn sender(flags: TraceFlags) -> SpanContext {
        let (trace, span) = (TraceId::from(1_u128), SpanId::from(1_u64));
        SpanContext::new(trace, span, flags, true, TraceState::NONE)
    }

    #[test]
    fn the_sender_decides_and_chance_where_it_does_not() {
        let (sampled, not) = (sender(TraceFlags::SAMPLED), sender(TraceFlags::NOT_SAMPLED));
        for ratio in [0.0, 1.0] {
            assert!(traces(ratio).records(Some(&sampled)));
            assert!(!traces(ratio).records(Some(&not)));
            for _ in 0..1_000 {
                assert_eq!(traces(ratio).records(None), ratio > 0.5);
            }
        }
        let half = traces(0.5);
        let recorded = (0..10_000).filter(|_| half.records(None)).count();
        // Beyond that by chance once in 10^88 runs.
        assert!((4_000..6_000).contains(&recorded), "{recorded}");
    }
}
