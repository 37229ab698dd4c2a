//! Usage as it arrives at an ingestor.

use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::quota::QuotaCharges;
use tollkeeper_domain::usage::UsageEvent;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_usage::message::subject;
use tollkeeper_usage::wire::{BatchBuilder, encode, encoded_len};
use uuid::Uuid;

/// How many events a batch has: as many as publishers put into one.
pub(crate) const EVENTS: u64 = 500;

/// How many sources take turns.
const SOURCES: u64 = 4;

const TOKENS: u64 = 500;

/// The subject and the body of batch `number`, counted from 0. Sources go on where they were.
pub(crate) fn batch(number: u64, now_micros: i64) -> (String, Vec<u8>) {
    let source = Uuid::from_u128(u128::from(number % SOURCES + 1));
    let mut builder = BatchBuilder::new(source, number / SOURCES * EVENTS + 1);
    for at in 0..EVENTS {
        let event = event(number * EVENTS + at, now_micros);
        let mut record = vec![0; encoded_len(&event)];
        encode(&event, &mut record);
        builder.push(&record);
    }
    (subject(source), builder.finish().2.to_vec())
}

/// Most traffic on a few tokens: the square of a spread number.
fn event(number: u64, now_micros: i64) -> UsageEvent<'static> {
    const ENDPOINTS: [&str; 4] = ["/v1/items", "/v1/items/search", "/v1/orders", "/health"];
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let token = (spread % TOKENS) * (spread / TOKENS % TOKENS) / TOKENS;
    let refused = spread.is_multiple_of(20);
    UsageEvent {
        token_id: TokenId(Uuid::from_u128(u128::from(token) << 64 | 0xabc)),
        account_id: AccountId(Uuid::from_u128(u128::from(token % 50))),
        token_version: 3,
        endpoint: ENDPOINTS[(spread % 4) as usize],
        method: if spread.is_multiple_of(5) {
            "POST"
        } else {
            "GET"
        },
        status: if refused { 403 } else { 200 },
        verdict: if refused {
            Verdict::InsufficientScope
        } else {
            Verdict::Valid
        },
        ip: Some([10, 0, (spread >> 8) as u8, spread as u8].into()),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64) bench/1.0",
        request_id: "",
        response_time_us: (spread % 5_000) as u32,
        at_micros: now_micros - (spread % 1_000_000) as i64,
        cost: 1,
        charges: QuotaCharges::default(),
    }
}
