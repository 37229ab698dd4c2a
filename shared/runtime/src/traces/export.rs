//! Sends what waits in the queue.

use std::time::Duration;

use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;
use tollkeeper_telemetry::trace::{SPANS_DROPPED, SPANS_EXPORTED};

use super::PATIENCE;

/// The most spans that are sent at once: the number that OpenTelemetry proposes.
const AT_ONCE: usize = 512;

/// How long a span waits for others to go with it.
const LINGER: Duration = Duration::from_millis(500);

/// Sends spans until it is told to stop.
#[derive(Debug)]
pub struct Export {
    exporter: SpanExporter,
    queue: Receiver<SpanData>,
    failing: bool,
}

impl Export {
    pub(super) const fn new(exporter: SpanExporter, queue: Receiver<SpanData>) -> Self {
        Self {
            exporter,
            queue,
            failing: false,
        }
    }

    /// Runs until `stop`, and then sends what is left, as far as one call and its time go.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut spans = Vec::with_capacity(AT_ONCE);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = self.queue.recv_many(&mut spans, AT_ONCE) => {}
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.gather(&mut spans) => {}
            }
            self.send(&mut spans).await;
        }
        self.queue.close();
        while let Ok(span) = self.queue.try_recv() {
            spans.push(span);
        }
        if !spans.is_empty() {
            self.send(&mut spans).await;
        }
    }

    /// Takes in what comes for a while, or until there is enough.
    async fn gather(&mut self, spans: &mut Vec<SpanData>) {
        let more = async {
            while spans.len() < AT_ONCE {
                let room = AT_ONCE - spans.len();
                if self.queue.recv_many(spans, room).await == 0 {
                    // Nobody is left who could record a span.
                    std::future::pending::<()>().await;
                }
            }
        };
        // Over time means that these are enough for now.
        let _ = tokio::time::timeout(LINGER, more).await;
    }

    async fn send(&mut self, spans: &mut Vec<SpanData>) {
        let batch = std::mem::take(spans);
        let count = batch.len() as u64;
        if count == 0 {
            return;
        }
        let sent = tokio::time::timeout(PATIENCE, self.exporter.export(batch)).await;
        let fault = match sent {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("it did not answer in time".to_owned()),
        };
        match &fault {
            None => SPANS_EXPORTED.handle().increment(count),
            Some(_) => SPANS_DROPPED.with("export_failed").increment(count),
        }
        // Told once when it begins and once when it ends; the metric tells the rest.
        match &fault {
            Some(error) if !self.failing => {
                tracing::warn!(error, "traces do not reach their receiver and are dropped");
            }
            None if self.failing => tracing::info!("traces reach their receiver again"),
            Some(_) | None => {}
        }
        self.failing = fault.is_some();
    }
}
