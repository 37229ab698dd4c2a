//! Where spans wait to be sent.

use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::mpsc;
use tollkeeper_telemetry::trace::SPANS_DROPPED;

use super::export::Export;

/// The most spans that wait: the number that OpenTelemetry proposes.
const MOST: usize = 2048;

/// Takes spans that have ended.
#[derive(Debug)]
pub(super) struct Queue(mpsc::Sender<SpanData>);

impl Queue {
    /// A queue, and what sends to the exporter what is put into it.
    pub(super) fn new(exporter: SpanExporter) -> (Self, Export) {
        let (sender, receiver) = mpsc::channel(MOST);
        (Self(sender), Export::new(exporter, receiver))
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.0.try_send(span).is_err() {
            SPANS_DROPPED.with("queue_full").increment(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
