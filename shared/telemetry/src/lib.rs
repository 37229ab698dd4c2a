//! The one list of Tollkeeper's metrics.
//!
//! A metric exists because it is in [`catalogue::GROUPS`]; nothing else in the workspace may name one.
//! Everything that a service exports is registered at its start, so that a counter reads zero instead
//! of being absent, and a rate over it is right from the first event on. A service exports nothing
//! that it cannot tell.
//!
//! A label's values are a closed set written down with the metric. A token id, a path or the text
//! of a message never becomes a label: it would make the number of time series unbounded.
//!
//! Most metrics are told to the recorder of the `metrics` crate. What passes with every request is
//! counted beside it ([`Counts`], [`Durations`]): without a look-up, a lock, or a cache line that all
//! threads write to.

pub mod audit;
pub mod catalogue;
pub mod events;
pub mod http;
mod kinds;
mod labels;
mod measured;
pub mod process;
pub mod reference;
mod register;
mod striped;
pub mod trace;
pub mod usage;
pub mod verification;
pub mod webhooks;

pub use kinds::{Counter, DurationHistogram, Gauge, Histogram, Metric, SecondsCounter};
pub use labels::{Label, Service, names, series};
pub use measured::{Counts, Distribution, Durations};
pub use metrics::Unit;
pub use register::{buckets, describe_all};
pub use striped::Striped;
