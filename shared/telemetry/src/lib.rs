//! The one list of Tollkeeper's metrics.
//!
//! A metric exists because it is in [`catalogue::ALL`]; nothing else in the workspace may name one.
//! Everything in the list is registered at start, so that a counter reads zero instead of being
//! absent, and a rate over it is right from the first event on.
//!
//! A label's values are a closed set written down with the metric. A token id, a path or the text
//! of a message never becomes a label: it would make the number of time series unbounded.

pub mod catalogue;
mod kinds;
mod register;
pub mod usage;
pub mod verification;
pub mod webhooks;

pub use kinds::{Counter, Gauge, Histogram, Label, Metric, NO_LABEL};
pub use metrics::Unit;
pub use register::{buckets, describe_all};
