//! One request of a known token, as the request path reports it.

use std::net::IpAddr;

use crate::ids::{AccountId, TokenId};
use crate::quota::QuotaCharges;
use crate::verdict::Verdict;

/// The longest endpoint kept, in bytes.
pub const MAX_ENDPOINT_BYTES: usize = 512;

/// The longest user agent kept, in bytes.
pub const MAX_USER_AGENT_BYTES: usize = 256;

/// The longest method kept, in bytes.
pub const MAX_METHOD_BYTES: usize = 16;

/// The longest request id kept, in bytes.
pub const MAX_REQUEST_ID_BYTES: usize = 128;

/// One request of a known token, allowed or refused. Borrows its texts, so that reporting it
/// allocates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageEvent<'a> {
    /// The token that was presented.
    pub token_id: TokenId,
    /// Its account.
    pub account_id: AccountId,
    /// The token's version by which it was judged.
    pub token_version: u64,
    /// The path, without its query; at most [`MAX_ENDPOINT_BYTES`].
    pub endpoint: &'a str,
    /// The HTTP method; at most [`MAX_METHOD_BYTES`].
    pub method: &'a str,
    /// The HTTP status we answered, or the upstream's where the reporter knows it.
    pub status: u16,
    /// What the check came to.
    pub verdict: Verdict,
    /// The client's address, as far as it may be kept.
    pub ip: Option<IpAddr>,
    /// The client's `User-Agent`; at most [`MAX_USER_AGENT_BYTES`].
    pub user_agent: &'a str,
    /// The id that the caller gave the request, or that its answer told; empty if there is none. At most
    /// [`MAX_REQUEST_ID_BYTES`].
    pub request_id: &'a str,
    /// Response time in microseconds.
    pub response_time_us: u32,
    /// When the request was judged, in microseconds since the Unix epoch.
    pub at_micros: i64,
    /// How many units it took of each quota that it was charged to.
    pub cost: u32,
    /// The quotas that it was charged to: none if it was refused, or if nothing bounds the token so.
    /// Which of their periods it counts in follows from its time.
    pub charges: QuotaCharges,
}
