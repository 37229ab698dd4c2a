//! Grafana's dashboards, written from descriptions: what every panel has in common is said once.
//!
//! `cargo xtask generate` writes them to `grafana/dashboards`. That each of their questions has an answer
//! is shown by the tests of `tollkeeper-dashboards`, which read the files as Grafana does.

mod capacity;
mod dashboard;
mod lifecycle;
mod overview;
mod panel;
mod pipeline;
mod query;
mod usage;
mod usage_sql;
mod verification;

use dashboard::Dashboard;

use crate::error::Error;

/// The file of a dashboard.
pub(crate) type File = fn() -> Result<Vec<u8>, Error>;

/// A file's path in the workspace, and what writes it.
pub(crate) const DASHBOARDS: &[(&str, File)] = &[
    ("grafana/dashboards/overview.json", || {
        write(&overview::dashboard())
    }),
    ("grafana/dashboards/verification.json", || {
        write(&verification::dashboard())
    }),
    ("grafana/dashboards/usage.json", || {
        write(&usage::dashboard())
    }),
    ("grafana/dashboards/pipeline.json", || {
        write(&pipeline::dashboard())
    }),
    ("grafana/dashboards/lifecycle.json", || {
        write(&lifecycle::dashboard())
    }),
    ("grafana/dashboards/capacity.json", || {
        write(&capacity::dashboard())
    }),
];

fn write(dashboard: &Dashboard) -> Result<Vec<u8>, Error> {
    let mut text = serde_json::to_vec_pretty(&dashboard.to_json()).map_err(Error::Dashboard)?;
    text.push(b'\n');
    Ok(text)
}
