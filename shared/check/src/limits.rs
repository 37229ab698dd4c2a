//! Rate limits and quotas in headers: draft-ietf-httpapi-ratelimit-headers, structured fields
//! (RFC 9651).
//!
//! Puts together figures that the engine has, and decides nothing.

use std::fmt::Write;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use tollkeeper_authn::{LimitReading, Limited, QuotaReading, Verification};
use tollkeeper_domain::verdict::Verdict;

use crate::refusal::Refusal;

/// The limits that hold.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What is left of them.
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// The highest integer of a structured field (RFC 9651, section 3.3.1).
const HIGHEST: u64 = 999_999_999_999_999;

/// Whole seconds, rounded up.
#[must_use]
pub fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// How long until a limit refuses no more. Where it refused, that is a second at least, also if it has
/// passed meanwhile.
#[must_use]
pub fn wait(reading: &LimitReading<'_>) -> Option<u64> {
    waiting(reading.retry_after, reading.refuses)
}

fn waiting(retry_after: Option<Duration>, refuses: bool) -> Option<u64> {
    retry_after.map(|time| seconds(time).max(u64::from(refuses)))
}

/// A rate limit or a quota, as the fields tell of it.
struct Told<'a> {
    /// What stands before its name.
    kind: &'static str,
    limited: Limited,
    name: &'a str,
    quota: u64,
    window: Option<u64>,
    burst: Option<u32>,
    remaining: u64,
    reset: Option<u64>,
    /// Whether it is why the request was refused.
    refuses: bool,
    /// None where waiting is of no use.
    wait: Option<u64>,
}

impl<'a> Told<'a> {
    fn limit(reading: LimitReading<'a>, verdict: Verdict) -> Self {
        Self {
            kind: "",
            limited: reading.limited,
            name: reading.name,
            quota: reading.limit.into(),
            window: Some(reading.window_seconds.into()),
            burst: Some(reading.burst).filter(|burst| *burst != reading.limit),
            remaining: reading.remaining.into(),
            reset: Some(seconds(reading.reset)),
            refuses: reading.refuses && verdict == Verdict::RateLimited,
            wait: wait(&reading),
        }
    }

    fn quota(reading: QuotaReading<'a>, verdict: Verdict) -> Self {
        Self {
            kind: "quota:",
            limited: reading.limited,
            name: reading.name,
            quota: reading.limit,
            window: reading.window.map(seconds),
            burst: None,
            remaining: reading.remaining,
            reset: reading.reset.map(seconds),
            refuses: reading.refuses && verdict == Verdict::QuotaExceeded,
            wait: waiting(reading.retry_after, reading.refuses),
        }
    }

    /// All of an answer, rate limits first.
    fn all(verification: &'a Verification) -> impl Iterator<Item = Self> {
        let verdict = verification.verdict;
        let limits = verification.rate_limits();
        let quotas = verification.quotas();
        let limits = limits.map(move |reading| Self::limit(reading, verdict));
        limits.chain(quotas.map(move |reading| Self::quota(reading, verdict)))
    }

    /// Begins the next item of a list: the name, as a string. No name has a colon in it.
    fn name(&self, list: &mut String) {
        if !list.is_empty() {
            list.push_str(", ");
        }
        let of = match self.limited {
            Limited::Account => "account:",
            Limited::Token => "",
        };
        // Writing to a string does not fail.
        let _ = write!(list, "\"{}{of}{}\"", self.kind, self.name);
    }
}

/// Adds a parameter to an item.
fn parameter(list: &mut String, name: &str, value: Option<u64>) {
    if let Some(value) = value {
        let _ = write!(list, ";{name}={}", value.min(HIGHEST));
    }
}

/// The headers of an answer about a token that has rate limits or quotas.
///
/// Where some of them refuse, only they are told of in `RateLimit`, with the time until they do not, so
/// that `Retry-After` is never earlier than what is told beside it.
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

    /// None for a token without limits and quotas.
    #[must_use]
    pub fn of(verification: &Verification) -> Option<Self> {
        let mut all = Told::all(verification).peekable();
        all.peek()?;
        let refused = is_used_up(verification.verdict);
        let (mut policy, mut state) = (String::new(), String::new());
        let mut retry_after = refused.then_some(0);
        for told in all {
            told.name(&mut policy);
            parameter(&mut policy, "q", Some(told.quota));
            parameter(&mut policy, "w", told.window);
            parameter(&mut policy, "burst", told.burst.map(u64::from));
            if refused && !told.refuses {
                continue;
            }
            told.name(&mut state);
            parameter(&mut state, "r", Some(told.remaining));
            let time = if refused { told.wait } else { told.reset };
            parameter(&mut state, "t", time);
            retry_after = retry_after
                .zip(told.wait)
                .map(|(most, wait)| most.max(wait));
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

/// Whether it is limits or quotas that refuse.
fn is_used_up(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::RateLimited | Verdict::QuotaExceeded)
}

impl Refusal {
    /// The same with what is known of the limits or quotas that refuse, where it is those that do.
    #[must_use]
    pub fn by_limits(mut self, verification: &Verification) -> Self {
        let verdict = verification.verdict;
        if !is_used_up(verdict) {
            return self;
        }
        let Some(limits) = LimitHeaders::of(verification) else {
            return self;
        };
        let refusing = Told::all(verification).filter(|told| told.refuses);
        let names: Vec<String> = refusing.map(|told| format!("`{}`", told.name)).collect();
        let names = names.join(", ");
        let detail = match (limits.retry_after, verdict) {
            (Some(_), _) => format!("used up for now: {names}"),
            (None, Verdict::QuotaExceeded) => {
                format!("this takes more uses than will be left by themselves of: {names}")
            }
            (None, _) => format!("this costs more than may be taken at once of: {names}"),
        };
        self.detail = detail.into();
        self.headers.extend(limits.each());
        self
    }
}
