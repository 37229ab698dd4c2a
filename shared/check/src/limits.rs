//! Rate limits in headers: draft-ietf-httpapi-ratelimit-headers, structured fields (RFC 9651).
//!
//! Puts together figures that the engine has, and decides nothing.

use std::fmt::Write;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use tollkeeper_authn::{LimitReading, Limited, Verification};
use tollkeeper_domain::verdict::Verdict;

use crate::refusal::Refusal;

/// The limits that hold.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What is left of them.
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// Whole seconds, rounded up.
#[must_use]
pub fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// How long until a limit refuses no more. Where it refused, that is a second at least, also if it has
/// passed meanwhile.
#[must_use]
pub fn wait(reading: &LimitReading<'_>) -> Option<u64> {
    reading
        .retry_after
        .map(|time| seconds(time).max(u64::from(reading.refuses)))
}

/// The headers of an answer about a token that has rate limits.
///
/// Where limits refuse, only they are told of in `RateLimit`, with the time until they do not, so that
/// `Retry-After` is never earlier than what is told beside it.
#[derive(Debug)]
pub struct LimitHeaders {
    policy: String,
    state: String,
    /// None where waiting is of no use, or not needed.
    retry_after: Option<u64>,
}

impl LimitHeaders {
    /// By which it is known whether an answer tells of limits.
    pub const STATE: HeaderName = STATE;

    /// None for a token without limits.
    #[must_use]
    pub fn of(verification: &Verification) -> Option<Self> {
        let mut readings = verification.rate_limits().peekable();
        readings.peek()?;
        let refused = verification.verdict == Verdict::RateLimited;
        let (mut policy, mut state) = (String::new(), String::new());
        let mut retry_after = refused.then_some(0);
        for reading in readings {
            item(&mut policy, &reading);
            // Writing to a string does not fail.
            let _ = write!(policy, ";q={};w={}", reading.limit, reading.window_seconds);
            if reading.burst != reading.limit {
                let _ = write!(policy, ";burst={}", reading.burst);
            }
            if refused && !reading.refuses {
                continue;
            }
            item(&mut state, &reading);
            let _ = write!(state, ";r={}", reading.remaining);
            let wait = wait(&reading);
            let time = if refused {
                wait
            } else {
                Some(seconds(reading.reset))
            };
            if let Some(time) = time {
                let _ = write!(state, ";t={time}");
            }
            retry_after = retry_after.zip(wait).map(|(most, wait)| most.max(wait));
        }
        Some(Self {
            policy,
            state,
            retry_after,
        })
    }

    /// Each header and its value.
    pub fn each(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let retry_after = self
            .retry_after
            .map(|seconds| (header::RETRY_AFTER, seconds.into()));
        let texts = [(POLICY, &self.policy), (STATE, &self.state)];
        let texts = texts
            .into_iter()
            .filter_map(|(name, text)| Some((name, HeaderValue::from_str(text).ok()?)));
        texts.chain(retry_after)
    }

    /// Adds them to an answer.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        headers.extend(self.each());
    }
}

/// The next item of a list: the name of a limit, as a string. No name has a colon in it.
fn item(list: &mut String, reading: &LimitReading<'_>) {
    if !list.is_empty() {
        list.push_str(", ");
    }
    let of = match reading.limited {
        Limited::Account => "account:",
        Limited::Token => "",
    };
    let _ = write!(list, "\"{of}{}\"", reading.name);
}

impl Refusal {
    /// The same with what is known of the limits that refuse, where it is limits that do.
    #[must_use]
    pub fn by_limits(mut self, verification: &Verification) -> Self {
        if verification.verdict != Verdict::RateLimited {
            return self;
        }
        let Some(limits) = LimitHeaders::of(verification) else {
            return self;
        };
        let refusing = verification.rate_limits().filter(|limit| limit.refuses);
        let names: Vec<String> = refusing.map(|limit| format!("`{}`", limit.name)).collect();
        let names = names.join(", ");
        let detail = match limits.retry_after {
            Some(_) => format!("used up for now: {names}"),
            None => format!("this costs more than may be taken at once of: {names}"),
        };
        self.detail = detail.into();
        self.headers.extend(limits.each());
        self
    }
}
