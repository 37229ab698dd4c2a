//! The span of the service's own `tracing` that a request is judged in. Where nobody takes it, nothing is read
//! for it.

use http::HeaderMap;
use tollkeeper_check::own_request_id;
use tollkeeper_telemetry::trace;
use tracing::Span;
use tracing::field::Empty;

use crate::gate::Shared;

/// The span of a request with these headers. Its fields have the names that they have in the API's log.
pub(crate) fn of(gate: &Shared, headers: &HeaderMap) -> Span {
    tracing::info_span!(
        "tollkeeper",
        request_id = request_id(gate, headers),
        trace_id = trace_id(headers),
        code = Empty,
    )
}

/// The client's own, with whatever looks like a token taken out.
fn request_id(gate: &Shared, headers: &HeaderMap) -> Option<String> {
    own_request_id(headers).map(|id| gate.scrubber.scrub(id).into_owned())
}

/// The trace that the request is part of, if its spans are recorded.
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let parent = headers.get(trace::TRACEPARENT)?.to_str().ok()?;
    let sender = trace::read(parent, None).filter(trace::SpanContext::is_sampled)?;
    Some(sender.trace_id().to_string())
}
