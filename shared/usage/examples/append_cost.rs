//! What an append costs the request path, in nanoseconds, by one thread and by one for each core;
//! then the slowest of them, timed one by one. Nothing else is done between two appends, so segments
//! are used up far faster than any request could.
//!
//! ```text
//! cargo run --release -p tollkeeper-usage --example append_cost
//! ```

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement, not a service"
)]

use std::sync::Arc;

use tollkeeper_ambient::{Clock, SystemClock, SystemEntropy};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::quota::QuotaCharges;
use tollkeeper_domain::usage::UsageEvent;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_usage::{Spool, SpoolSettings};
use uuid::Uuid;

const APPENDS: u32 = 1_000_000;

fn main() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in [1, cores] {
        let folder = tempfile::tempdir().unwrap();
        let settings = SpoolSettings {
            // Fresh threads get fresh lanes.
            lanes: 2 * (1 + cores),
            ..SpoolSettings::new(folder.path())
        };
        let spool = Spool::open(settings, Arc::new(SystemClock), Arc::new(SystemEntropy)).unwrap();
        let nanos = on_each(threads, || {
            let start = SystemClock.boot_time();
            (0..APPENDS).for_each(|number| append(&spool, number));
            (SystemClock.boot_time() - start).as_nanos() / u128::from(APPENDS)
        });
        let mean = nanos.iter().sum::<u128>() / nanos.len() as u128;
        let one_by_one = on_each(threads, || {
            let timed = (0..APPENDS).map(|number| {
                let start = SystemClock.boot_time();
                append(&spool, number);
                (SystemClock.boot_time() - start).as_nanos()
            });
            timed.collect::<Vec<_>>()
        });
        let mut one_by_one = one_by_one.concat();
        one_by_one.sort_unstable();
        let at = |share: usize| one_by_one[(one_by_one.len() - 1) * share / 100_000];
        println!(
            "{threads} threads: {mean} ns an append, {} dropped; one by one: 99.9 % within {} ns, \
             99.999 % within {} ns, the slowest {} ns",
            spool.stats().dropped,
            at(99_900),
            at(99_999),
            one_by_one[one_by_one.len() - 1],
        );
    }
}

/// Does the same on so many threads at once.
fn on_each<R: Send>(threads: usize, work: impl Fn() -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(&work)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .collect()
    })
}

fn append(spool: &Spool, number: u32) {
    let event = UsageEvent {
        token_id: TokenId(Uuid::from_u128(7)),
        account_id: AccountId(Uuid::from_u128(8)),
        token_version: 3,
        endpoint: "/v1/projects/42/items",
        method: "GET",
        status: 200,
        verdict: Verdict::Valid,
        ip: Some([192, 0, 2, 7].into()),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        request_id: "",
        response_time_us: number,
        at_micros: i64::from(number),
        cost: 1,
        charges: QuotaCharges::default(),
    };
    spool.append(&event).unwrap();
}
