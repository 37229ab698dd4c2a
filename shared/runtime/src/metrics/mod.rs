//! The metrics of a process. The `metrics` crate keeps its recorder process-wide, so it is installed
//! once, by `main`. What the recorder does not take is written beside what it writes.

mod pools;
mod process;
mod text;

use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use parking_lot::RwLock;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tollkeeper_telemetry::process::{BUILD_INFO, VERSION};
use tollkeeper_telemetry::{Counts, Durations, Gauge, Service};

const UPKEEP: Duration = Duration::from_secs(5);

/// Brings metrics up to date, and writes those that the recorder does not take.
type Source = Box<dyn Fn(&mut String) + Send + Sync>;

/// The metrics of this process. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    recorder: PrometheusHandle,
    sources: Arc<RwLock<Vec<Source>>>,
}

/// Installs the recorder with the buckets of the catalogue and registers every metric that the
/// service exports.
///
/// # Errors
/// When a recorder is installed already.
pub fn install(service: Service) -> Result<Metrics, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for (name, bounds) in tollkeeper_telemetry::buckets() {
        builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), bounds)?;
    }
    let metrics = Metrics {
        recorder: builder.install_recorder()?,
        sources: Arc::default(),
    };
    tollkeeper_telemetry::describe_all(service);
    BUILD_INFO.with(VERSION).set(1.0);
    metrics.add(process::tell);
    Ok(metrics)
}

impl Metrics {
    /// Shows these counts, too.
    pub fn add_counts(&self, counts: Arc<Counts>) {
        self.add(move |_| counts.tell());
    }

    /// Shows these durations, too.
    pub fn add_durations(&self, durations: Arc<Durations>) {
        self.add(move |text| text::durations(text, &durations));
    }

    /// Shows how many connections a pool has. The name is one of the values of
    /// `tollkeeper_database_connections`.
    pub fn add_pool(&self, name: &'static str, pool: PgPool) {
        self.add(move |_| pools::tell(name, &pool));
    }

    fn add(&self, source: impl Fn(&mut String) + Send + Sync + 'static) {
        self.sources.write().push(Box::new(source));
    }

    /// All metrics in the text format of Prometheus. Reads what the kernel knows of the process, so it
    /// is not for the threads that answer requests.
    #[must_use]
    pub fn render(&self) -> String {
        let mut beside = String::new();
        for source in &*self.sources.read() {
            source(&mut beside);
        }
        self.recorder.render() + &beside
    }
}

/// Tells when something expires, in seconds since the Unix epoch; none if it does not.
pub fn tell_expiry(gauge: &Gauge, at: Option<i64>) {
    gauge.handle().set(at.unwrap_or(0) as f64);
}

/// Folds the recorded samples into their buckets now and then. Without it they pile up in memory
/// in a process that nobody scrapes.
pub async fn upkeep(metrics: Metrics, stop: CancellationToken) {
    let mut interval = tokio::time::interval(UPKEEP);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => metrics.recorder.run_upkeep(),
        }
    }
}
