//! The metrics recorder. The `metrics` crate keeps it process-wide, so it is installed once, by
//! `main`.

use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the recorder with the buckets of the catalogue and registers every metric in it.
///
/// # Errors
/// When a recorder is installed already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for (name, bounds) in tollkeeper_telemetry::buckets() {
        builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), bounds)?;
    }
    let handle = builder.install_recorder()?;
    tollkeeper_telemetry::describe_all();
    Ok(handle)
}

/// Folds the recorded samples into their buckets now and then. Without it they pile up in memory
/// in a process that nobody scrapes.
pub async fn upkeep(handle: PrometheusHandle, stop: CancellationToken) {
    let mut interval = tokio::time::interval(UPKEEP);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => handle.run_upkeep(),
        }
    }
}
