//! Sends spans to an OTLP receiver, if the settings name one.
//!
//! A span that has ended goes into a queue with an end, and a task sends what has gathered there. Nothing
//! ever waits for it: what the queue cannot hold, and what the receiver does not take, is dropped and
//! counted.

mod export;
mod queue;

use std::time::Duration;

use opentelemetry_otlp::{
    ExporterBuildError, Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanExporter as _};
use reqwest::redirect::Policy;
use tollkeeper_telemetry::Service;
use tollkeeper_telemetry::process::VERSION;
use tollkeeper_telemetry::trace::{BoxedTracer, KeyValue, Traces};

pub use export::Export;
use queue::Queue;

use crate::settings::TraceSettings;

/// How long the receiver may take for what it is sent at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why spans cannot be sent anywhere.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    #[error("TLS cannot be set up for TOLLKEEPER_OTLP_ENDPOINT: {0}")]
    Client(#[from] reqwest::Error),

    #[error("TOLLKEEPER_OTLP_ENDPOINT: {0}")]
    Endpoint(#[from] ExporterBuildError),
}

/// Traces of the service, and the task that sends them; `None` if the settings name no receiver.
/// `instance` tells this process from others of the service.
///
/// # Errors
/// When the endpoint cannot be sent to.
pub fn set_up(
    settings: &TraceSettings,
    service: Service,
    instance: &str,
) -> Result<Option<(Traces, Export)>, TracesError> {
    let Some(endpoint) = &settings.endpoint else {
        return Ok(None);
    };
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .timeout(PATIENCE)
        .user_agent(concat!("tollkeeper/", env!("CARGO_PKG_VERSION")))
        .build()?;
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint.as_str())
        .with_timeout(PATIENCE)
        // What is sent later stands in the queue's way: the next spans are worth as much.
        .with_retry_policy(RetryPolicy::disabled())
        .build()?;
    let resource = resource(service, instance);
    exporter.set_resource(&resource);
    let (queue, export) = Queue::new(exporter);
    let provider = SdkTracerProvider::builder()
        // Who begins a span has decided already that it is recorded.
        .with_sampler(Sampler::AlwaysOn)
        .with_resource(resource)
        .with_span_processor(queue)
        .build();
    let tracer = tracer(&provider);
    Ok(Some((Traces::new(tracer, settings.ratio.0), export)))
}

fn tracer(provider: &SdkTracerProvider) -> BoxedTracer {
    use opentelemetry::trace::TracerProvider;
    BoxedTracer::new(Box::new(provider.tracer("tollkeeper")))
}

/// What the spans are of. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` have the last word.
fn resource(service: Service, instance: &str) -> Resource {
    let name = match service {
        Service::Api => "tollkeeper-api",
        Service::Ingestor => "tollkeeper-ingestor",
    };
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", name),
            KeyValue::new("service.version", VERSION),
            KeyValue::new("service.instance.id", instance.to_owned()),
        ])
        .with_detectors(&[
            Box::new(TelemetryResourceDetector),
            Box::new(EnvResourceDetector::new()),
        ])
        .build()
}
