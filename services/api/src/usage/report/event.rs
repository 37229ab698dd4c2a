//! Reads one call of a report, and says what is wrong with it. No I/O.

use std::fmt::Display;
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;
use tollkeeper_check::kept;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::quota::QuotaCharges;
use tollkeeper_domain::usage::{MAX_METHOD_BYTES, UsageEvent};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_read_model::usage::reports::{MAX_CLIENT_ID_BYTES, Report, Reportable};
use tollkeeper_usage::{text, wire};
use utoipa::ToSchema;
use uuid::Uuid;

use super::outcome::Rejection;
use crate::app::Policy;
use crate::http::body::pointer;

/// How far a client's clock may be ahead of ours.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// A call of a token that happened elsewhere.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReportedCall)]
pub(super) struct Call {
    /// What you call it: 1 to 64 visible ASCII characters, different for each call of an account. A call
    /// that is reported again under the same id within 14 days counts no second time.
    #[schema(min_length = 1, max_length = 64, pattern = "^[!-~]+$")]
    id: String,
    token_id: Uuid,
    /// The path. Its query, and what is longer than 512 bytes, is cut off.
    #[schema(min_length = 1, pattern = r"^[^\x00-\x1f\x7f]+$")]
    endpoint: String,
    #[schema(
        min_length = 1,
        max_length = 16,
        pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
    )]
    method: String,
    /// What the call was answered with.
    #[schema(minimum = 100, maximum = 599)]
    status: u16,
    /// When it was made: now if nothing is said, at most 5 minutes ahead, and not so long ago that single
    /// requests of then are not kept any more.
    timestamp: Option<DateTime<Utc>>,
    /// How long it took in microseconds; 0 if nothing is said.
    response_time_us: Option<u32>,
    /// Where it came from, of which is kept as much as of other requests.
    #[schema(value_type = Option<String>, format = "ip")]
    ip: Option<IpAddr>,
    /// What is longer than 256 bytes is cut off.
    #[schema(pattern = r"^[^\x00-\x1f\x7f]*$")]
    user_agent: Option<String>,
    /// What the check of the token came to: `VALID` if nothing is said. `MALFORMED` and `NOT_FOUND` are of
    /// no token.
    #[schema(value_type = Option<Verdict>)]
    verdict: Option<String>,
}

/// A call in the domain's terms, but for what only the database knows.
#[derive(Debug)]
pub(super) struct Checked {
    call: Call,
    verdict: Verdict,
    at: DateTime<Utc>,
}

impl Checked {
    pub(super) fn token(&self) -> TokenId {
        TokenId(self.call.token_id)
    }

    /// What is stored of it, where it is of this token.
    pub(super) fn report(self, token: &Reportable, policy: &Policy) -> Report {
        let Call { ref endpoint, .. } = self.call;
        let agent = self.call.user_agent.as_deref().unwrap_or_default();
        let event = UsageEvent {
            token_id: token.token_id,
            account_id: token.account_id,
            token_version: token.version.unsigned_abs(),
            endpoint: &policy.scrubber.scrub(text::path(endpoint)),
            method: &self.call.method,
            status: self.call.status,
            verdict: self.verdict,
            ip: self.call.ip.and_then(|ip| kept(ip, policy.usage_ip)),
            user_agent: &policy.scrubber.scrub(agent),
            request_id: "",
            response_time_us: self.call.response_time_us.unwrap_or(0),
            at_micros: self.at.timestamp_micros(),
            cost: 1,
            charges: QuotaCharges::default(),
        };
        let mut record = vec![0; wire::encoded_len(&event)];
        wire::encode(&event, &mut record);
        Report {
            account_id: token.account_id,
            client_id: self.call.id,
            record,
        }
    }
}

/// Reads the call at this place of the report that arrived `now`.
pub(super) fn read(
    value: Value,
    place: usize,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Result<Checked, Rejection<'_>> {
    let mut rejection = Rejection::at(place, &policy.scrubber);
    // The reader would take an array of the fields' values as well.
    if !value.is_object() {
        rejection.bad_field("", "this is an object");
        return Err(rejection);
    }
    let call: Call = match serde_path_to_error::deserialize(value) {
        Ok(call) => call,
        Err(error) => {
            rejection.bad_field(&pointer(error.path()), error.inner());
            return Err(rejection);
        }
    };
    let mut bad = |pointer: &str, detail: &dyn Display| rejection.bad_field(pointer, detail);
    let visible = call.id.bytes().all(|byte| byte.is_ascii_graphic());
    if !visible || !(1..=MAX_CLIENT_ID_BYTES).contains(&call.id.len()) {
        bad("/id", &"an id has 1 to 64 visible ASCII characters");
    } else if policy.scrubber.scrub(&call.id) != call.id {
        bad("/id", &"an id is not a token");
    }
    if call.endpoint.is_empty() || call.endpoint.chars().any(|it| it.is_ascii_control()) {
        bad("/endpoint", &"this is a path, without control characters");
    }
    let method = call.method.as_bytes();
    if !(1..=MAX_METHOD_BYTES).contains(&method.len()) || !method.iter().all(is_token_character) {
        bad(
            "/method",
            &"this is a method of HTTP of at most 16 characters",
        );
    }
    if !(100..=599).contains(&call.status) {
        bad("/status", &"this is 100 to 599");
    }
    let agent = call.user_agent.as_deref().unwrap_or_default();
    if agent.chars().any(|it| it.is_ascii_control()) {
        bad("/user_agent", &"this has no control characters");
    }
    let verdict = verdict(call.verdict.as_deref());
    if verdict.is_none() {
        bad(
            "/verdict",
            &"a call of a known token comes to no such verdict",
        );
    }
    let at = call.timestamp.unwrap_or(now);
    let Some(verdict) = verdict.filter(|_| rejection.is_empty()) else {
        return Err(rejection);
    };
    let oldest = now - policy.usage_retention;
    if !(oldest..=now + AHEAD).contains(&at) {
        let days = policy.usage_retention.num_days();
        let detail = format!("a call is at most {days} days ago, and at most 5 minutes ahead");
        rejection.out_of_range("/timestamp", detail);
        return Err(rejection);
    }
    Ok(Checked { call, verdict, at })
}

/// RFC 9110, section 5.6.2.
fn is_token_character(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

/// What a check of a token that is known can come to.
fn verdict(code: Option<&str>) -> Option<Verdict> {
    let Some(code) = code else {
        return Some(Verdict::Valid);
    };
    let of_no_token = [Verdict::Malformed, Verdict::NotFound];
    let mut known = Verdict::ALL.into_iter();
    known.find(|it| it.code() == code && !of_no_token.contains(it))
}
