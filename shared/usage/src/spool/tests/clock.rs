//! What happens when the wall clock jumps between two runs.

use std::sync::Arc;

use chrono::{TimeDelta, TimeZone, Utc};
use tollkeeper_ambient::SystemEntropy;
use tollkeeper_testkit::FixedClock;

use super::{cut_all, event, numbers, settings};
use crate::spool::Spool;

#[test]
fn runs_whose_clock_was_set_back_have_sources_of_their_own_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let noon = Utc.with_ymd_and_hms(2026, 3, 29, 12, 0, 0).unwrap();
    let open = |hours| {
        let clock = Arc::new(FixedClock::at(noon + TimeDelta::hours(hours)));
        Spool::open(settings(folder.path(), 1), clock, Arc::new(SystemEntropy)).unwrap()
    };
    // The last one is at the very moment of the first one.
    let runs = [0, -30, 48, -400_000, 0];
    for (run, hours) in (0..).zip(runs) {
        let spool = open(hours);
        for number in 0..100 {
            spool.append(&event(run * 100 + number, "/a")).unwrap();
        }
    }
    let spool = open(-1);
    let mut found: Vec<Vec<u64>> = numbers(&cut_all(&mut spool.take_tails()))
        .into_values()
        .collect();
    found.sort_unstable();
    let expected: Vec<Vec<u64>> = (0..5)
        .map(|run| (run * 100..(run + 1) * 100).collect())
        .collect();
    assert_eq!(found, expected);
}
