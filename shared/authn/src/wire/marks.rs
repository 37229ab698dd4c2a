//! What a node without a database tells of its usage, so that somebody else can say what is missing
//! when it is gone.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How far a node's usage has got.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(as = NodeUsage, example = json!({
        "name": "orders",
        "started_at": "2026-11-21T08:00:00.123456Z",
        "at": "2026-11-21T10:20:29.731226Z",
        "given": [{ "source": "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f", "last": 48_211 }],
        "ended": false,
    }))
)]
pub struct UsageMark {
    /// The name of the service or machine, for people.
    #[cfg_attr(
        feature = "openapi",
        schema(
            min_length = 1,
            max_length = 100,
            pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
        )
    )]
    pub name: String,
    /// When this run of the node began.
    pub started_at: DateTime<Utc>,
    /// A moment by the node's clock: every request that was answered before it is among those below.
    pub at: DateTime<Utc>,
    /// All sources of this run, at most 400, the same each time.
    #[cfg_attr(feature = "openapi", schema(max_items = 400))]
    pub given: Vec<Given>,
    /// Whether nothing will follow.
    #[serde(default)]
    pub ended: bool,
}

/// What one source has given out.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = NodeUsageGiven))]
pub struct Given {
    /// One lane of this run.
    pub source: Uuid,
    /// The last number that it has given out; 0 if none.
    #[cfg_attr(feature = "openapi", schema(maximum = 9_223_372_036_854_775_807_u64))]
    pub last: u64,
}
