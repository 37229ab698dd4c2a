//! The trace of an event goes on in the requests that tell webhooks of it.

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue};
use tollkeeper_event_store::StoredEvent;
use tollkeeper_telemetry::trace::{
    Context, KeyValue, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Traces, write,
};

use super::send::{Outcome, Sent};
use super::step::{Fault, step};
use super::worker::Worker;
use crate::event_traces;
use crate::webhooks::store::queue::Leased;

/// The span of one request.
pub(super) struct Attempted(Context);

impl Worker {
    /// Begins the span of a request that is about to be sent, if the event's trace is recorded, and
    /// has the headers tell of it.
    pub(super) async fn trace(
        &self,
        event: &StoredEvent,
        leased: &Leased,
        headers: &mut HeaderMap,
    ) -> Option<Attempted> {
        let traces = self.traces.as_ref()?;
        let parent = self.parent(event).await?;
        let span = traces
            .records(Some(&parent))
            .then(|| Attempted::begin(traces, &parent, leased));
        let handed_on = match &span {
            Some(Attempted(span)) => span.span().span_context().clone(),
            None => parent,
        };
        for (name, value) in write(&handed_on) {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        span
    }

    /// The span that the event comes from. It is sent without one as well.
    async fn parent(&self, event: &StoredEvent) -> Option<SpanContext> {
        let looking = async { step!(self.pool, db => event_traces::of(db, &[event.event_id])) };
        let found: Result<_, Fault> = looking.await;
        match found {
            Ok(mut found) => found.remove(&event.event_id),
            Err(error) => {
                tracing::debug!(%error, "an event is delivered without its trace");
                None
            }
        }
    }
}

impl Attempted {
    fn begin(traces: &Traces, parent: &SpanContext, leased: &Leased) -> Self {
        let span = SpanBuilder::from_name("POST").with_kind(SpanKind::Client);
        let span = traces.start(span, Some(parent));
        span.span().set_attributes([
            KeyValue::new("http.request.method", "POST"),
            KeyValue::new("tollkeeper.webhook.id", leased.id.to_string()),
        ]);
        // Path and query may hold what only the endpoint is to know.
        if let Some(url) = Url::parse(&leased.url).ok().filter(Url::has_host) {
            let port = url.port_or_known_default().map_or(0, i64::from);
            let host = url.host_str().unwrap_or_default().to_owned();
            span.span().set_attributes([
                KeyValue::new("server.address", host),
                KeyValue::new("server.port", port),
            ]);
        }
        Self(span)
    }

    /// The endpoint has answered, or not.
    pub(super) fn end(self, sent: &Sent) {
        let span = self.0.span();
        if let Some(status) = sent.status {
            span.set_attribute(KeyValue::new(
                "http.response.status_code",
                i64::from(status),
            ));
        }
        if sent.outcome != Outcome::Delivered {
            let what = match sent.status {
                Some(status) => status.to_string(),
                None => sent.outcome.as_str().to_owned(),
            };
            span.set_attribute(KeyValue::new("error.type", what));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}
