//! The trace that a request is part of: taken over from its sender, or begun here.

use axum::http::{HeaderMap, Method, StatusCode, Uri};
use tollkeeper_telemetry::trace::{
    Context, KeyValue, SpanBuilder, SpanContext, SpanKind, Status, TRACEPARENT, TRACESTATE,
    TraceContextExt, Traces, read,
};
use tollkeeper_usage::spool::Place;

use crate::app::App;

/// What stands for a secret in a route.
const SECRET: &str = "{secret}";

/// The span of a request, or what is handed on of one that is not recorded.
pub(crate) struct Trace(Context);

impl Trace {
    /// The trace of a request: its sender's, whether recorded or not, or a new one if chance has it so.
    pub(crate) fn of(app: &App, headers: &HeaderMap) -> Option<Self> {
        let traces = app.traces.as_ref()?;
        let sender = sender(app, headers);
        if traces.records(sender.as_ref()) {
            return Some(Self::begin(traces, sender.as_ref()));
        }
        sender.map(|sender| Self(Context::new().with_remote_span_context(sender)))
    }

    /// As [`Trace::of`], if it is recorded.
    pub(crate) fn recorded(app: &App, headers: &HeaderMap) -> Option<Self> {
        let traces = app.traces.as_ref()?;
        let sender = sender(app, headers);
        traces
            .records(sender.as_ref())
            .then(|| Self::begin(traces, sender.as_ref()))
    }

    fn begin(traces: &Traces, sender: Option<&SpanContext>) -> Self {
        // What it is called is known when it was routed.
        let span = SpanBuilder::from_name("HTTP").with_kind(SpanKind::Server);
        Self(traces.start(span, sender))
    }

    /// What the request's work is to be done in.
    pub(crate) fn context(&self) -> Context {
        self.0.clone()
    }

    /// The trace's id, if it is recorded.
    pub(crate) fn id(&self) -> Option<String> {
        let span = self.0.span();
        span.is_recording()
            .then(|| span.span_context().trace_id().to_string())
    }

    /// The request was counted there.
    pub(crate) fn counted(&self, app: &App, place: Place) {
        counted(app, &self.0, place);
    }

    /// Ends the span of a request over HTTP.
    pub(crate) fn answered(
        &self,
        app: &App,
        (method, uri, route): (&Method, &Uri, Option<&str>),
        status: StatusCode,
        request_id: Option<&str>,
    ) {
        let span = self.0.span();
        if !span.is_recording() {
            return;
        }
        let method = known(method);
        // The path of no route may be anything, and that of a one-time link is a secret.
        let path = route.map(|route| match route.contains(SECRET) {
            true => route.to_owned(),
            false => app.policy.scrubber.scrub(uri.path()).into_owned(),
        });
        span.update_name(match (method, route) {
            ("_OTHER", None) => "HTTP".to_owned(),
            ("_OTHER", Some(route)) => format!("HTTP {route}"),
            (method, None) => method.to_owned(),
            (method, Some(route)) => format!("{method} {route}"),
        });
        span.set_attributes([
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
            KeyValue::new("url.scheme", app.policy.scheme),
            KeyValue::new("url.path", path.unwrap_or_else(|| "/".to_owned())),
        ]);
        if let Some(route) = route {
            span.set_attribute(KeyValue::new("http.route", route.to_owned()));
        }
        if let Some(id) = request_id {
            span.set_attribute(KeyValue::new("tollkeeper.request_id", id.to_owned()));
        }
        if status.is_server_error() {
            span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
            span.set_status(Status::error(""));
        }
        span.end();
    }

    /// Ends the span of a call over gRPC.
    pub(crate) fn called(&self, service: &'static str, method: &'static str, code: i64) {
        let span = self.0.span();
        span.update_name(format!("{service}/{method}"));
        span.set_attributes([
            KeyValue::new("rpc.system", "grpc"),
            KeyValue::new("rpc.service", service),
            KeyValue::new("rpc.method", method),
            KeyValue::new("rpc.grpc.status_code", code),
        ]);
        span.end();
    }
}

/// The method as a span may tell of it: those of RFC 9110, and PATCH.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}

/// Has the span of the batch that the running request's usage goes into link to the request's.
pub(crate) fn counted_now(app: &App, place: Option<Place>) {
    if let (Some(_), Some(place)) = (&app.traces, place) {
        counted(app, &Context::current(), place);
    }
}

fn counted(app: &App, context: &Context, place: Place) {
    let span = context.span();
    if !span.is_recording() {
        return;
    }
    let number = i64::try_from(place.number).unwrap_or(i64::MAX);
    span.set_attributes([
        KeyValue::new("tollkeeper.usage.source", place.source.to_string()),
        KeyValue::new("tollkeeper.usage.number", number),
    ]);
    app.spool.origins().note(place, span.span_context().clone());
}

/// The context that the sender tells of, if it is valid and holds nothing that looks like a token.
fn sender(app: &App, headers: &HeaderMap) -> Option<SpanContext> {
    let parent = headers.get(TRACEPARENT)?.to_str().ok()?;
    if headers.get_all(TRACEPARENT).iter().nth(1).is_some() {
        return None;
    }
    let states = headers.get_all(TRACESTATE).iter();
    let states: Option<Vec<&str>> = states.map(|state| state.to_str().ok()).collect();
    let state = states.map(|states| states.join(","));
    let clean = state.filter(|state| app.policy.scrubber.scrub(state) == state.as_str());
    read(parent, clean.as_deref())
}
