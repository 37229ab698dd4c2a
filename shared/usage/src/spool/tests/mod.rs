//! The spool against a plain list, against full disks, and against `kill -9`.

mod again;
mod clock;
mod full;
mod kill;
mod model;
mod pages;
mod read_only;
mod recovery;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tollkeeper_ambient::{SystemClock, SystemEntropy};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::quota::QuotaCharges;
use tollkeeper_domain::usage::UsageEvent;
use tollkeeper_domain::verdict::Verdict;
use uuid::Uuid;

use super::{FullPolicy, Spool, SpoolError, SpoolSettings};
use crate::Scrubber;
use crate::ranges::RangeSet;
use crate::spool::tail::{Sealed, Tail};
use crate::wire::{Batch, decode};

pub(super) fn settings(dir: &Path, lanes: usize) -> SpoolSettings {
    SpoolSettings {
        dir: dir.to_owned(),
        max_bytes: 64 << 20,
        segment_bytes: 16 << 10,
        lanes,
        full_policy: FullPolicy::Drop,
        scrubber: Scrubber::default(),
    }
}

pub(super) fn try_open(settings: SpoolSettings) -> Result<Arc<Spool>, SpoolError> {
    Spool::open(settings, Arc::new(SystemClock), Arc::new(SystemEntropy))
}

pub(super) fn open(dir: &Path, lanes: usize) -> Arc<Spool> {
    try_open(settings(dir, lanes)).unwrap()
}

/// An event that is told from others by its token version.
pub(super) fn event(number: u64, endpoint: &str) -> UsageEvent<'_> {
    UsageEvent {
        token_id: TokenId(Uuid::from_u128(1)),
        account_id: AccountId(Uuid::from_u128(2)),
        token_version: number,
        endpoint,
        method: "GET",
        status: 200,
        verdict: Verdict::Valid,
        ip: None,
        user_agent: "test",
        request_id: "",
        response_time_us: 5,
        at_micros: 1_700_000_000_000_000,
        cost: 1,
        charges: QuotaCharges::default(),
    }
}

/// Cuts everything there is into batches.
pub(super) fn cut_all(tails: &mut [Tail]) -> Vec<Sealed> {
    let mut batches = Vec::new();
    for tail in tails {
        while let Some(sealed) = tail.cut(&RangeSet::default()).unwrap() {
            batches.push(sealed);
        }
    }
    batches
}

/// The numbers of the events in batches, in order, by source. Checks that no number is missing.
pub(super) fn numbers(batches: &[Sealed]) -> BTreeMap<Uuid, Vec<u64>> {
    let mut numbers: BTreeMap<Uuid, Vec<u64>> = BTreeMap::new();
    for sealed in batches {
        let batch = Batch::read(sealed.message.clone()).unwrap();
        let of_source = numbers.entry(sealed.source).or_default();
        assert_eq!(sealed.first, of_source.len() as u64 + 1);
        of_source.extend(
            batch
                .records()
                .map(|(_, record, _)| decode(record).unwrap().token_version),
        );
        assert_eq!(sealed.last, of_source.len() as u64);
    }
    numbers
}

pub(super) fn all_numbers(batches: &[Sealed]) -> Vec<u64> {
    numbers(batches).into_values().flatten().collect()
}
