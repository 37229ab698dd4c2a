//! Rate limits and quotas as programs are told of them in the body of an answer; `tollkeeper_check` puts
//! them into headers.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tollkeeper_authn::{LimitReading, Limited, QuotaReading};
use tollkeeper_check::{seconds, wait};
use utoipa::ToSchema;

/// The highest cost that one request may be said to have.
pub(crate) const MAX_COST: u32 = 1_000_000;

/// A rate limit after the request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RateLimitState)]
pub(crate) struct State {
    name: String,
    of: Of,
    /// How many units come back in each window.
    limit: u32,
    window_seconds: u32,
    /// How many units may be taken at once.
    burst: u32,
    /// How many units may be taken now.
    remaining: u32,
    /// How long until all of them have come back.
    reset_seconds: u64,
    /// How long until it refuses such a request no more: 0 if it does not refuse, null if it will for
    /// ever, because the request costs more than may be taken at once.
    #[schema(required)]
    retry_after_seconds: Option<u64>,
}

/// Whom a rate limit or a quota holds for.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = RateLimitOf)]
#[serde(rename_all = "snake_case")]
enum Of {
    /// All tokens of the account together.
    Account,
    /// This token.
    Token,
}

/// A quota after the request, as far as this node knows.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QuotaState)]
pub(crate) struct Uses {
    name: String,
    of: Of,
    /// How many uses there are in each period.
    limit: u64,
    /// How many of them are left.
    remaining: u64,
    /// When it is full again: null if it never is by itself.
    #[schema(required)]
    resets_at: Option<DateTime<Utc>>,
}

impl From<QuotaReading<'_>> for Uses {
    fn from(reading: QuotaReading<'_>) -> Self {
        Self {
            name: reading.name.to_owned(),
            of: reading.limited.into(),
            limit: reading.limit,
            remaining: reading.remaining,
            resets_at: reading.resets_at,
        }
    }
}

impl From<Limited> for Of {
    fn from(limited: Limited) -> Self {
        match limited {
            Limited::Account => Self::Account,
            Limited::Token => Self::Token,
        }
    }
}

impl From<LimitReading<'_>> for State {
    fn from(reading: LimitReading<'_>) -> Self {
        Self {
            name: reading.name.to_owned(),
            of: reading.limited.into(),
            limit: reading.limit,
            window_seconds: reading.window_seconds,
            burst: reading.burst,
            remaining: reading.remaining,
            reset_seconds: seconds(reading.reset),
            retry_after_seconds: wait(&reading),
        }
    }
}
