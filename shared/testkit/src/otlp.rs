//! A receiver of traces: OTLP over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::wait_for_some;

/// A span that arrived.
#[derive(Debug, Clone)]
pub struct ReceivedSpan {
    /// What `service.name` says of its program.
    pub service: String,
    /// The span itself.
    pub span: Span,
}

impl ReceivedSpan {
    /// The trace's id, as `traceparent` writes it.
    #[must_use]
    pub fn trace(&self) -> String {
        hex(&self.span.trace_id)
    }

    /// The span's id, as `traceparent` writes it.
    #[must_use]
    pub fn id(&self) -> String {
        hex(&self.span.span_id)
    }

    /// The id of the span that it is part of; empty for none.
    #[must_use]
    pub fn parent(&self) -> String {
        hex(&self.span.parent_span_id)
    }

    /// Trace and span of each of its links.
    #[must_use]
    pub fn links(&self) -> Vec<(String, String)> {
        let links = self.span.links.iter();
        links
            .map(|link| (hex(&link.trace_id), hex(&link.span_id)))
            .collect()
    }

    /// An attribute as text; `None` if there is none of this name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<String> {
        attribute(&self.span.attributes, name)
    }
}

/// How the receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Takes,
    Refuses,
    Hangs,
}

#[derive(Debug, Default)]
struct Arrived {
    spans: Vec<ReceivedSpan>,
    bodies: Vec<Bytes>,
}

#[derive(Clone)]
struct Shared {
    arrived: Arc<Mutex<Arrived>>,
    mood: watch::Sender<Mood>,
}

/// A receiver on this machine.
#[derive(Debug)]
pub struct TraceReceiver {
    address: SocketAddr,
    arrived: Arc<Mutex<Arrived>>,
    mood: watch::Sender<Mood>,
}

impl TraceReceiver {
    /// Starts one that takes everything.
    ///
    /// # Panics
    /// When the loopback has no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("the loopback has a free port");
        let address = listener.local_addr().expect("a bound listener");
        let arrived = Arc::default();
        let mood = watch::Sender::new(Mood::Takes);
        let shared = Shared {
            arrived: Arc::clone(&arrived),
            mood: mood.clone(),
        };
        let app = Router::new()
            .route("/v1/traces", post(take))
            .with_state(shared);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            address,
            arrived,
            mood,
        }
    }

    /// What programs are told as `TOLLKEEPER_OTLP_ENDPOINT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers 503 from now on.
    pub fn refuse(&self) {
        self.mood.send_replace(Mood::Refuses);
    }

    /// Takes requests in from now on, and answers none of them.
    pub fn hang(&self) {
        self.mood.send_replace(Mood::Hangs);
    }

    /// Takes everything again.
    pub fn take_again(&self) {
        self.mood.send_replace(Mood::Takes);
    }

    /// All spans that it has taken.
    #[must_use]
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        self.arrived.lock().spans.clone()
    }

    /// The bodies of all requests as they came, taken or not.
    #[must_use]
    pub fn bodies(&self) -> Vec<Bytes> {
        self.arrived.lock().bodies.clone()
    }

    /// Waits for a span.
    ///
    /// # Panics
    /// When none comes that `wanted` says yes to.
    pub async fn span(&self, what: &str, wanted: impl Fn(&ReceivedSpan) -> bool) -> ReceivedSpan {
        wait_for_some(what, async || {
            self.spans().into_iter().find(|span| wanted(span))
        })
        .await
    }
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    shared.arrived.lock().bodies.push(body.clone());
    let mood = *shared.mood.borrow();
    match mood {
        Mood::Refuses => return StatusCode::SERVICE_UNAVAILABLE,
        Mood::Hangs => {
            let mut mood = shared.mood.subscribe();
            let _changed = mood.wait_for(|mood| *mood != Mood::Hangs).await;
        }
        Mood::Takes => {}
    }
    let protobuf = headers
        .get("content-type")
        .is_some_and(|kind| kind == "application/x-protobuf");
    let Some(request) = protobuf
        .then(|| ExportTraceServiceRequest::decode(body).ok())
        .flatten()
    else {
        return StatusCode::BAD_REQUEST;
    };
    let spans = request.resource_spans.into_iter().flat_map(|of_resource| {
        let resource = of_resource.resource.unwrap_or_default();
        let service = attribute(&resource.attributes, "service.name").unwrap_or_default();
        let scopes = of_resource.scope_spans.into_iter();
        scopes
            .flat_map(|scope| scope.spans)
            .map(move |span| ReceivedSpan {
                service: service.clone(),
                span,
            })
    });
    shared.arrived.lock().spans.extend(spans);
    StatusCode::OK
}

fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    let AnyValue { value } = found.value.clone()?;
    Some(match value? {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
