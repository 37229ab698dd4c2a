//! One event as bytes.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | version, 1 or 2 |
//! | 1 | 1 | flags |
//! | 2 | 1 | verdict number |
//! | 3 | 1 | length of the method |
//! | 4 | 2 | length of the endpoint |
//! | 6 | 2 | length of the user agent |
//! | 8 | 8 | time of the event, microseconds since the Unix epoch, signed |
//! | 16 | 16 | token id |
//! | 32 | 16 | account id |
//! | 48 | 8 | token version |
//! | 56 | 4 | response time in microseconds |
//! | 60 | 2 | status |
//! | 62 | 0, 4 or 16 | client address, by the flags |
//! | … | | method, endpoint, user agent, UTF-8 |
//! | … | 2 + n | route with its length, if its flag is set |
//! | … | 8 | bytes in, if its flag is set |
//! | … | 8 | bytes out, if its flag is set |
//! | … | 1 + n | id of the request with its length, if its flag is set |
//! | … | 4 | version 2: cost |
//! | … | 1 | version 2: how many quotas it was charged to |
//! | … | 6 each | version 2: whose quota (0 the token's, 1 the account's), its refill (0 none, 1 monthly, 2 daily), its generation (4 bytes) |
//!
//! What costs 1 and was charged to no quota is written as version 1, as it always was: an ingestor
//! older than its reporters reads all but what it could not count.
//!
//! Route and bytes are reserved: no writer sets them yet, and a reader checks and skips them, so
//! that reporters may be upgraded before the ingestor is. The id of the request is only set where there
//! is one; an ingestor that is older than it makes such records dead letters, to be replayed once it is
//! upgraded.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::quota::{MAX_CHARGES, QuotaCharge, QuotaCharges, QuotaOwner, QuotaRefill};
use tollkeeper_domain::usage::{
    MAX_ENDPOINT_BYTES, MAX_METHOD_BYTES, MAX_REQUEST_ID_BYTES, MAX_USER_AGENT_BYTES, UsageEvent,
};
use tollkeeper_domain::verdict::Verdict;
use uuid::Uuid;

use crate::text::cut;

/// Without cost and quotas.
const PLAIN: u8 = 1;
/// With both.
const CHARGED: u8 = 2;
const FIXED_BYTES: usize = 62;
const AT: usize = 8;

const CHARGE_BYTES: usize = 6;

const FLAG_IPV4: u8 = 1 << 0;
const FLAG_IPV6: u8 = 1 << 1;
const FLAG_ROUTE: u8 = 1 << 2;
const FLAG_BYTES_IN: u8 = 1 << 3;
const FLAG_BYTES_OUT: u8 = 1 << 4;
const FLAG_REQUEST_ID: u8 = 1 << 5;
const KNOWN_FLAGS: u8 =
    FLAG_IPV4 | FLAG_IPV6 | FLAG_ROUTE | FLAG_BYTES_IN | FLAG_BYTES_OUT | FLAG_REQUEST_ID;

/// The longest record a reader accepts, reserved fields included.
pub const MAX_RECORD_BYTES: usize = FIXED_BYTES
    + 16
    + MAX_METHOD_BYTES
    + MAX_ENDPOINT_BYTES
    + MAX_USER_AGENT_BYTES
    + 2
    + MAX_ENDPOINT_BYTES
    + 16
    + 1
    + MAX_REQUEST_ID_BYTES
    + 5
    + MAX_CHARGES * CHARGE_BYTES;

/// Why bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecordError {
    /// It ends before this field does.
    #[error("the record ends inside {0}")]
    Truncated(&'static str),
    /// Bytes are left after the last field.
    #[error("{0} bytes follow the record's last field")]
    Trailing(usize),
    /// Written by a version this reader does not know.
    #[error("record version {0} is unknown")]
    Version(u8),
    /// A flag this reader does not know, or two that exclude each other.
    #[error("the record flags {0:#04x} are unknown or contradict each other")]
    Flags(u8),
    /// No verdict has this number.
    #[error("verdict number {0} is unknown")]
    Verdict(u8),
    /// More quotas than a request can be charged to.
    #[error("{0} quotas are more than there may be")]
    Charges(u8),
    /// Nobody has this number.
    #[error("{field} number {number} is unknown")]
    Number {
        /// Of what.
        field: &'static str,
        /// Its number.
        number: u8,
    },
    /// A text is longer than its limit.
    #[error("{field} has {bytes} bytes, more than its limit")]
    TooLong {
        /// Which text.
        field: &'static str,
        /// Its stated length.
        bytes: usize,
    },
    /// A text is not UTF-8.
    #[error("{0} is not UTF-8")]
    NotText(&'static str),
}

/// Whether it takes version 2 to tell of it.
fn is_charged(event: &UsageEvent<'_>) -> bool {
    event.cost != 1 || !event.charges.is_empty()
}

/// The bytes [`encode`] will write for `event`.
#[must_use]
pub fn encoded_len(event: &UsageEvent<'_>) -> usize {
    let ip = match event.ip {
        None => 0,
        Some(IpAddr::V4(_)) => 4,
        Some(IpAddr::V6(_)) => 16,
    };
    FIXED_BYTES
        + ip
        + cut(event.method, MAX_METHOD_BYTES).len()
        + cut(event.endpoint, MAX_ENDPOINT_BYTES).len()
        + cut(event.user_agent, MAX_USER_AGENT_BYTES).len()
        + request_id_bytes(event)
        + charge_bytes(event)
}

fn request_id_bytes(event: &UsageEvent<'_>) -> usize {
    match cut(event.request_id, MAX_REQUEST_ID_BYTES).len() {
        0 => 0,
        bytes => 1 + bytes,
    }
}

fn charge_bytes(event: &UsageEvent<'_>) -> usize {
    if is_charged(event) {
        5 + event.charges.as_slice().len() * CHARGE_BYTES
    } else {
        0
    }
}

/// Writes `event` into `slot`, which has exactly [`encoded_len`] bytes. Allocates nothing. Texts
/// beyond their limits are cut at a character boundary.
///
/// # Panics
/// If `slot` is shorter than [`encoded_len`] says.
pub fn encode(event: &UsageEvent<'_>, slot: &mut [u8]) {
    let method = cut(event.method, MAX_METHOD_BYTES);
    let endpoint = cut(event.endpoint, MAX_ENDPOINT_BYTES);
    let user_agent = cut(event.user_agent, MAX_USER_AGENT_BYTES);
    let request_id = cut(event.request_id, MAX_REQUEST_ID_BYTES);

    let (fixed, rest) = slot.split_at_mut(FIXED_BYTES);
    fixed[0] = if is_charged(event) { CHARGED } else { PLAIN };
    fixed[1] = match event.ip {
        None => 0,
        Some(IpAddr::V4(_)) => FLAG_IPV4,
        Some(IpAddr::V6(_)) => FLAG_IPV6,
    };
    if !request_id.is_empty() {
        fixed[1] |= FLAG_REQUEST_ID;
    }
    fixed[2] = event.verdict as u8;
    // The lengths of texts were cut to limits far below these integers' ranges.
    fixed[3] = method.len() as u8;
    fixed[4..6].copy_from_slice(&(endpoint.len() as u16).to_le_bytes());
    fixed[6..8].copy_from_slice(&(user_agent.len() as u16).to_le_bytes());
    fixed[AT..16].copy_from_slice(&event.at_micros.to_le_bytes());
    fixed[16..32].copy_from_slice(event.token_id.0.as_bytes());
    fixed[32..48].copy_from_slice(event.account_id.0.as_bytes());
    fixed[48..56].copy_from_slice(&event.token_version.to_le_bytes());
    fixed[56..60].copy_from_slice(&event.response_time_us.to_le_bytes());
    fixed[60..62].copy_from_slice(&event.status.to_le_bytes());

    let rest = match event.ip {
        None => rest,
        Some(IpAddr::V4(ip)) => put(rest, &ip.octets()),
        Some(IpAddr::V6(ip)) => put(rest, &ip.octets()),
    };
    let rest = put(rest, method.as_bytes());
    let rest = put(rest, endpoint.as_bytes());
    let mut rest = put(rest, user_agent.as_bytes());
    if !request_id.is_empty() {
        rest = put(rest, &[request_id.len() as u8]);
        rest = put(rest, request_id.as_bytes());
    }
    if !is_charged(event) {
        return;
    }
    let charges = event.charges.as_slice();
    let rest = put(rest, &event.cost.to_le_bytes());
    // There are at most MAX_CHARGES.
    let mut rest = put(rest, &[charges.len() as u8]);
    for charge in charges {
        rest = put(rest, &[owner_number(charge), refill_number(charge)]);
        rest = put(rest, &charge.generation.to_le_bytes());
    }
}

fn owner_number(charge: &QuotaCharge) -> u8 {
    match charge.owner {
        QuotaOwner::Token => 0,
        QuotaOwner::Account => 1,
    }
}

fn refill_number(charge: &QuotaCharge) -> u8 {
    match charge.refill {
        QuotaRefill::None => 0,
        QuotaRefill::Monthly => 1,
        QuotaRefill::Daily => 2,
    }
}

fn put<'a>(slot: &'a mut [u8], bytes: &[u8]) -> &'a mut [u8] {
    let (here, rest) = slot.split_at_mut(bytes.len());
    here.copy_from_slice(bytes);
    rest
}

/// The time of the event in `record`, without reading the rest. `None` if it is too short.
#[must_use]
pub fn at_micros(record: &[u8]) -> Option<i64> {
    let bytes = record.get(AT..AT + 8)?.first_chunk()?;
    Some(i64::from_le_bytes(*bytes))
}

/// Reads one record. The event borrows its texts from `record`.
///
/// # Errors
/// If any field is malformed; nothing is guessed or skipped.
pub fn decode(record: &[u8]) -> Result<UsageEvent<'_>, RecordError> {
    let mut input = Input(record);
    let version = input.byte("version")?;
    if !matches!(version, PLAIN | CHARGED) {
        return Err(RecordError::Version(version));
    }
    let flags = input.byte("flags")?;
    let both = FLAG_IPV4 | FLAG_IPV6;
    if flags & !KNOWN_FLAGS != 0 || flags & both == both {
        return Err(RecordError::Flags(flags));
    }
    let verdict = input.byte("verdict")?;
    let verdict = Verdict::from_number(verdict).ok_or(RecordError::Verdict(verdict))?;
    let method_len = usize::from(input.byte("method length")?);
    let endpoint_len = usize::from(u16::from_le_bytes(input.array("endpoint length")?));
    let user_agent_len = usize::from(u16::from_le_bytes(input.array("user agent length")?));
    let at_micros = i64::from_le_bytes(input.array("time")?);
    let token_id = TokenId(Uuid::from_bytes(input.array("token id")?));
    let account_id = AccountId(Uuid::from_bytes(input.array("account id")?));
    let token_version = u64::from_le_bytes(input.array("token version")?);
    let response_time_us = u32::from_le_bytes(input.array("response time")?);
    let status = u16::from_le_bytes(input.array("status")?);
    let ip = if flags & FLAG_IPV4 != 0 {
        Some(IpAddr::V4(Ipv4Addr::from(
            input.array::<4>("IPv4 address")?,
        )))
    } else if flags & FLAG_IPV6 != 0 {
        Some(IpAddr::V6(Ipv6Addr::from(
            input.array::<16>("IPv6 address")?,
        )))
    } else {
        None
    };
    let method = input.text("method", method_len, MAX_METHOD_BYTES)?;
    let endpoint = input.text("endpoint", endpoint_len, MAX_ENDPOINT_BYTES)?;
    let user_agent = input.text("user agent", user_agent_len, MAX_USER_AGENT_BYTES)?;
    if flags & FLAG_ROUTE != 0 {
        let route_len = usize::from(u16::from_le_bytes(input.array("route length")?));
        input.text("route", route_len, MAX_ENDPOINT_BYTES)?;
    }
    if flags & FLAG_BYTES_IN != 0 {
        input.array::<8>("bytes in")?;
    }
    if flags & FLAG_BYTES_OUT != 0 {
        input.array::<8>("bytes out")?;
    }
    let request_id = if flags & FLAG_REQUEST_ID != 0 {
        let request_id_len = usize::from(input.byte("request id length")?);
        input.text("request id", request_id_len, MAX_REQUEST_ID_BYTES)?
    } else {
        ""
    };
    let (cost, charges) = match version {
        PLAIN => (1, QuotaCharges::default()),
        _ => (u32::from_le_bytes(input.array("cost")?), input.charges()?),
    };
    if !input.0.is_empty() {
        return Err(RecordError::Trailing(input.0.len()));
    }
    Ok(UsageEvent {
        token_id,
        account_id,
        token_version,
        endpoint,
        method,
        status,
        verdict,
        ip,
        user_agent,
        request_id,
        response_time_us,
        at_micros,
        cost,
        charges,
    })
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, field: &'static str, bytes: usize) -> Result<&'a [u8], RecordError> {
        let (here, rest) = self
            .0
            .split_at_checked(bytes)
            .ok_or(RecordError::Truncated(field))?;
        self.0 = rest;
        Ok(here)
    }

    fn byte(&mut self, field: &'static str) -> Result<u8, RecordError> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], RecordError> {
        let (here, rest) = self
            .0
            .split_first_chunk()
            .ok_or(RecordError::Truncated(field))?;
        self.0 = rest;
        Ok(*here)
    }

    fn charges(&mut self) -> Result<QuotaCharges, RecordError> {
        let count = self.byte("number of quotas")?;
        let mut charges = QuotaCharges::default();
        for _ in 0..count {
            let owner = match self.byte("owner of a quota")? {
                0 => QuotaOwner::Token,
                1 => QuotaOwner::Account,
                number => {
                    let field = "owner of a quota";
                    return Err(RecordError::Number { field, number });
                }
            };
            let refill = match self.byte("refill of a quota")? {
                0 => QuotaRefill::None,
                1 => QuotaRefill::Monthly,
                2 => QuotaRefill::Daily,
                number => {
                    let field = "refill of a quota";
                    return Err(RecordError::Number { field, number });
                }
            };
            let charge = QuotaCharge {
                owner,
                generation: u32::from_le_bytes(self.array("generation of a quota")?),
                refill,
            };
            if !charges.push(charge) {
                return Err(RecordError::Charges(count));
            }
        }
        Ok(charges)
    }

    fn text(
        &mut self,
        field: &'static str,
        bytes: usize,
        limit: usize,
    ) -> Result<&'a str, RecordError> {
        if bytes > limit {
            return Err(RecordError::TooLong { field, bytes });
        }
        std::str::from_utf8(self.take(field, bytes)?).map_err(|_| RecordError::NotText(field))
    }
}
