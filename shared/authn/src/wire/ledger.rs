//! What a node without a database asks and is told of the ledger of usage.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most sources of usage asked about at once.
pub const MOST_SOURCES: usize = 1_000;

/// Sources of usage.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(as = UsageSources, example = json!({ "sources": ["019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f"] }))
)]
pub struct Sources {
    /// At most 1,000.
    #[cfg_attr(feature = "openapi", schema(max_items = 1_000))]
    pub sources: Vec<Uuid>,
}

/// What of them is settled.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(as = UsageLedger, example = json!({ "settled": [{
        "source": "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f",
        "ranges": [[1, 500]],
        "final_sequence": 500,
    }] }))
)]
pub struct Settled {
    /// A source that is not in it has nothing settled.
    pub settled: Vec<SettledSource>,
}

/// What of one source is settled.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = SettledUsage))]
pub struct SettledSource {
    /// One lane of one run of a node.
    pub source: Uuid,
    /// The first and the last number of each range.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Vec<u64>>))]
    pub ranges: Vec<(u64, u64)>,
    /// Its last number, once the source has told that none will follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_sequence: Option<u64>,
}
