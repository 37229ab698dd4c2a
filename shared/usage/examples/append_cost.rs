//! What an append costs the request path, in nanoseconds, by one thread and by one for each core.
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
            lanes: 1 + cores,
            ..SpoolSettings::new(folder.path())
        };
        let spool = Spool::open(settings, Arc::new(SystemClock), Arc::new(SystemEntropy)).unwrap();
        let nanos: Vec<u128> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| scope.spawn(|| appends(&spool)))
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap())
                .collect()
        });
        let mean = nanos.iter().sum::<u128>() / nanos.len() as u128;
        println!(
            "{threads} threads: {mean} ns an append, {} dropped",
            spool.stats().dropped
        );
    }
}

fn appends(spool: &Spool) -> u128 {
    let start = SystemClock.boot_time();
    for number in 0..APPENDS {
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
            response_time_us: number,
            at_micros: i64::from(number),
        };
        spool.append(&event).unwrap();
    }
    (SystemClock.boot_time() - start).as_nanos() / u128::from(APPENDS)
}
