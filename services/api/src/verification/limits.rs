//! Rate limits as programs are told of them in the body of an answer; `tollkeeper_check` puts them into
//! headers.

use serde::Serialize;
use tollkeeper_authn::{LimitReading, Limited};
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

/// Whom a rate limit holds for.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = RateLimitOf)]
#[serde(rename_all = "snake_case")]
enum Of {
    /// All tokens of the account together.
    Account,
    /// This token.
    Token,
}

impl From<LimitReading<'_>> for State {
    fn from(reading: LimitReading<'_>) -> Self {
        Self {
            name: reading.name.to_owned(),
            of: match reading.limited {
                Limited::Account => Of::Account,
                Limited::Token => Of::Token,
            },
            limit: reading.limit,
            window_seconds: reading.window_seconds,
            burst: reading.burst,
            remaining: reading.remaining,
            reset_seconds: seconds(reading.reset),
            retry_after_seconds: wait(&reading),
        }
    }
}
