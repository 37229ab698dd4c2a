//! Rate limits as services name their fields.

use serde::{Deserialize, Serialize};
use tollkeeper_domain::rate_limit::{RateLimit, RateLimits};
use utoipa::ToSchema;

/// A limit as a service asks for it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct NewUserRateLimit {
    /// Tells it from the others, and keeps what was consumed when the rest of it changes.
    #[schema(min_length = 1, max_length = 32, pattern = r"^[a-z0-9._-]+$")]
    name: String,
    /// How many units come back in each window.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    limit: u32,
    /// How long that takes: at most 31 days.
    #[schema(minimum = 1, maximum = 2_678_400)]
    window_seconds: u32,
    /// How many units may be taken at once: `limit` if nothing is said. They must come back within
    /// 31 days.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    burst: Option<u32>,
    /// How many units one request takes: 1 if nothing is said, and at most `burst`.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    cost: Option<u32>,
}

impl From<NewUserRateLimit> for RateLimit {
    fn from(asked: NewUserRateLimit) -> Self {
        Self::new(
            asked.name,
            asked.limit,
            asked.window_seconds,
            asked.burst,
            asked.cost,
        )
    }
}

/// A limit as a service sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserRateLimit {
    /// Tells it from the others.
    name: Box<str>,
    /// How many units come back in each window.
    #[schema(minimum = 1)]
    limit: u32,
    /// How long that takes.
    #[schema(minimum = 1)]
    window_seconds: u32,
    /// How many units may be taken at once.
    #[schema(minimum = 1)]
    burst: u32,
    /// How many units one request takes.
    #[schema(minimum = 1)]
    cost: u32,
}

impl UserRateLimit {
    /// Those of a token, in the order of their names.
    pub(super) fn all(limits: &RateLimits) -> Vec<Self> {
        let limits = limits.iter().map(|limit| Self {
            name: limit.name.clone(),
            limit: limit.limit,
            window_seconds: limit.window_seconds,
            burst: limit.burst,
            cost: limit.cost,
        });
        limits.collect()
    }
}
