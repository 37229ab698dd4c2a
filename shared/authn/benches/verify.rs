//! What one check costs in process: time, allocations, and the memory behind it.
//!
//! Prints a table for people and, as its last line, one JSON object for `cargo xtask bench`. Fails
//! if a hit allocates.

#![allow(
    unsafe_code,
    reason = "counting allocations takes an allocator of one's own"
)]
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_authn::{
    AccountFacts, Attendance, BalanceKey, Client, Engine, EngineConfig, Found, LogHead,
    LoggedEvent, Lookup, Requirement, SourceFuture, TokenFacts, TokenSource, Used,
};
use tollkeeper_domain::account::{self, Role};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::network::{MAX_NETWORKS, Network};
use tollkeeper_domain::quota::{MAX_QUOTAS, MAX_USES, Quota, QuotaRefill, Quotas};
use tollkeeper_domain::rate_limit::{MAX_RATE_LIMITS, MAX_UNITS, RateLimit, RateLimits};
use tollkeeper_domain::secret::{Brand, Environment, SecretHash, TokenSecret, check_shape};
use tollkeeper_domain::token;
use uuid::Uuid;

const TOKENS: u64 = 100_000;
const HOT: usize = 1_000;
const CHECKS: usize = 400_000;
const ROUNDS: usize = 7;

/// The system's allocator, counting calls and live bytes.
struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicI64 = AtomicI64::new(0);

// SAFETY: every call goes to the system's allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        LIVE.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Where all requests come from.
const CLIENT: [u8; 4] = [198, 51, 100, 7];

const FROM_CLIENT: Requirement<'_> = Requirement {
    environment: None,
    client: Client::At(std::net::IpAddr::V4(std::net::Ipv4Addr::from_octets(
        CLIENT,
    ))),
    scopes: &[],
    fresh: false,
    cost: 1,
    charged: None,
    counted: true,
};

/// Few tokens are bound to networks.
fn is_bound(digest: &SecretHash) -> bool {
    digest.0[31] < 3
}

/// Few have limits either: as many as there may be, or one, on the token and on its account.
fn limits_of(digest: &SecretHash) -> u32 {
    match digest.0[30] {
        0..3 => MAX_RATE_LIMITS as u32,
        3..6 => 1,
        _ => 0,
    }
}

/// So many limits that are never used up.
fn limits(number: u32) -> RateLimits {
    let limit = |number| RateLimit {
        name: format!("limit-{number}").into(),
        limit: MAX_UNITS,
        window_seconds: 1,
        burst: MAX_UNITS,
        cost: 1,
    };
    let limits: Vec<_> = (0..number).map(limit).collect();
    limits.try_into().expect("no more than there may be")
}

/// As few have quotas, on the token and on its account: as many as there may be.
fn is_counted(digest: &SecretHash) -> bool {
    digest.0[29] < 3
}

/// Quotas that are never used up, if there are any.
fn quotas(digest: &SecretHash) -> Quotas {
    let number = if is_counted(digest) { MAX_QUOTAS } else { 0 };
    let quota = |number| Quota {
        name: format!("quota-{number}").into(),
        limit: MAX_USES,
        refill: QuotaRefill::Monthly,
        generation: number,
    };
    let quotas: Vec<_> = (1..=number as u32).map(quota).collect();
    quotas.try_into().expect("no more than there may be")
}

/// As many networks as a token may have, of which the last holds the client.
fn as_many_as_there_may_be() -> token::Restrictions {
    let others = (1..MAX_NETWORKS).map(|number| format!("10.{number}.0.0/16"));
    let client = std::iter::once("198.51.100.0/24".to_owned());
    let networks: Vec<Network> = others
        .chain(client)
        .filter_map(|text| text.parse().ok())
        .collect();
    token::Restrictions {
        allowed_cidrs: networks.try_into().expect("no more than there may be"),
        ..token::Restrictions::default()
    }
}

fn restrictions(digest: &SecretHash) -> Option<Box<token::Restrictions>> {
    let networks = if is_bound(digest) {
        as_many_as_there_may_be()
    } else {
        token::Restrictions::default()
    };
    let restrictions = token::Restrictions {
        rate_limits: limits(limits_of(digest)),
        quotas: quotas(digest),
        ..networks
    };
    (!restrictions.is_none()).then(|| Box::new(restrictions))
}

/// Every digest asked for belongs to a token of an account of its own.
struct Endless;

impl TokenSource for Endless {
    fn lookup<'a>(&'a self, digests: &'a [SecretHash]) -> SourceFuture<'a, Lookup> {
        let found = digests.iter().map(|digest| {
            let mut id = [0; 16];
            id.copy_from_slice(&digest.0[..16]);
            let id = Uuid::from_bytes(id);
            let scopes = ["orders:read", "orders:write"];
            Found {
                digest: *digest,
                token: TokenFacts {
                    token_id: TokenId(id),
                    account_id: AccountId(id),
                    version: 1,
                    environment: Environment::Live,
                    scopes: scopes.iter().filter_map(|text| text.parse().ok()).collect(),
                    not_before: None,
                    expires_at: Some(i64::MAX),
                    secret_valid_until: None,
                    lifecycle: token::Lifecycle::Active,
                    restrictions: restrictions(digest),
                },
                account: AccountFacts {
                    account_id: AccountId(id),
                    version: 1,
                    lifecycle: account::Lifecycle::Active,
                    role: Role::User,
                    rate_limits: (limits_of(digest) > 0)
                        .then(|| Arc::new(limits(limits_of(digest)))),
                    quotas: is_counted(digest).then(|| Arc::new(quotas(digest))),
                },
            }
        });
        let found = found.collect();
        Box::pin(async { Ok(Lookup { head: HEAD, found }) })
    }

    fn balances<'a>(
        &'a self,
        asked: &'a [BalanceKey],
        _: &'a [Uuid],
    ) -> SourceFuture<'a, Vec<Used>> {
        Box::pin(async { Ok(vec![Used::default(); asked.len()]) })
    }

    fn attend(&self, _: Attendance) -> SourceFuture<'_, LogHead> {
        Box::pin(async { Ok(HEAD) })
    }

    fn recently_used(&self, _: usize) -> SourceFuture<'_, Vec<SecretHash>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn leave(&self) -> SourceFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn events_after(&self, _: u64, _: usize) -> SourceFuture<'_, Vec<LoggedEvent>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

const HEAD: LogHead = LogHead {
    position: 0,
    hash: [0; 32],
    generation: 0,
};

fn texts(brand: &Brand) -> Vec<String> {
    (0..TOKENS)
        .map(|number| {
            let secret = TokenSecret::generate(brand, Environment::Live, |bytes| {
                for (index, byte) in bytes.iter_mut().enumerate() {
                    *byte = ((number >> (index % 8 * 5)) & 31) as u8;
                }
            });
            secret.expose().to_owned()
        })
        .collect()
}

/// Nanoseconds per call, the median of some rounds.
fn nanos(mut call: impl FnMut(usize)) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = SystemClock.boot_time();
            (0..CHECKS).for_each(&mut call);
            (SystemClock.boot_time() - start).as_nanos() as f64 / CHECKS as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime starts");
    let brand: Brand = "tk".parse().expect("a brand");
    let texts = texts(&brand);
    let config = EngineConfig::new(brand.clone());
    let engine = Arc::new(Engine::new(
        config,
        Arc::new(Endless),
        Arc::new(SystemClock),
    ));
    let stop = CancellationToken::new();
    let run = runtime.spawn(Arc::clone(&engine).run(stop.clone()));
    let empty = LIVE.load(Ordering::Relaxed);
    runtime.block_on(async {
        engine.prove().await.expect("the source answers");
        for some in texts.chunks(1000) {
            let checks = some.iter().map(|text| {
                let engine = Arc::clone(&engine);
                async move { engine.verify(text.as_bytes(), &FROM_CLIENT).await }
            });
            let answers = futures::future::join_all(checks).await;
            assert!(answers.iter().all(|answer| answer.is_valid()));
        }
    });
    let live = (LIVE.load(Ordering::Relaxed) - empty) as f64;
    let memory = engine.status().memory;
    let entries = memory.entries as f64;

    let requirement = Requirement {
        environment: Some(Environment::Live),
        scopes: &["orders:write"],
        ..FROM_CLIENT
    };
    let check = |text: &str| {
        let answer = engine.try_verify(text.as_bytes(), &requirement);
        assert!(answer.is_ok_and(|answer| answer.is_valid()));
    };
    let is_of_bound = |text: &&String| is_bound(&SecretHash::of(text.as_bytes()));
    let bound: Vec<&String> = texts.iter().filter(is_of_bound).take(HOT).collect();
    let with_limits = |number| -> Vec<&String> {
        let has = |text: &&String| limits_of(&SecretHash::of(text.as_bytes())) == number;
        texts.iter().filter(has).take(HOT).collect()
    };
    let limited = with_limits(1);
    let most_limited = with_limits(MAX_RATE_LIMITS as u32);
    let is_of_counted = |text: &&String| is_counted(&SecretHash::of(text.as_bytes()));
    let counted: Vec<&String> = texts.iter().filter(is_of_counted).take(HOT).collect();
    // The engine reads the log's head meanwhile, which allocates: the round in which it does not counts.
    let allocations = (0..ROUNDS)
        .map(|_| {
            let calls = CALLS.load(Ordering::Relaxed);
            (0..CHECKS).for_each(|index| check(&texts[index % HOT]));
            let others = [&bound, &limited, &most_limited, &counted];
            let others = others.into_iter().flatten();
            others.for_each(|text| check(text));
            (CALLS.load(Ordering::Relaxed) - calls) as f64 / CHECKS as f64
        })
        .fold(f64::INFINITY, f64::min);

    let mut figures: HashMap<&str, f64> = HashMap::new();
    figures.insert("hit_ns", nanos(|index| check(&texts[index % HOT])));
    figures.insert(
        "hit_bound_ns",
        nanos(|index| check(bound[index % bound.len()])),
    );
    figures.insert(
        "hit_limited_ns",
        nanos(|index| check(limited[index % limited.len()])),
    );
    figures.insert(
        "hit_most_limited_ns",
        nanos(|index| check(most_limited[index % most_limited.len()])),
    );
    figures.insert(
        "hit_counted_ns",
        nanos(|index| check(counted[index % counted.len()])),
    );
    figures.insert("hit_one_token_ns", nanos(|_| check(&texts[0])));
    figures.insert(
        "hit_spread_ns",
        nanos(|index| check(&texts[index.wrapping_mul(7_919) % texts.len()])),
    );
    let contended = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| nanos(|_| check(&texts[0]))))
            .collect();
        let each = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        each.fold(0.0, f64::max)
    });
    figures.insert("hit_one_token_two_threads_ns", contended);
    let bytes = |index: usize| black_box(texts[index % HOT].as_bytes());
    figures.insert(
        "sha256_ns",
        nanos(|index| {
            black_box(SecretHash::of(bytes(index)));
        }),
    );
    figures.insert(
        "shape_ns",
        nanos(|index| {
            let _ = black_box(check_shape(bytes(index), &brand));
        }),
    );
    figures.insert(
        "clock_ns",
        nanos(|_| {
            black_box(SystemClock.boot_time());
        }),
    );
    figures.insert("allocations_per_hit", allocations);
    figures.insert("entry_bytes_measured", live / entries);
    figures.insert("entry_bytes_counted", memory.bytes as f64 / entries);

    stop.cancel();
    let _ = runtime.block_on(run);
    let mut names: Vec<_> = figures.iter().collect();
    names.sort_by(|one, other| one.0.cmp(other.0));
    for (name, figure) in names {
        println!("{name:32} {figure:10.1}");
    }
    let json = serde_json::to_string(&figures).expect("figures are JSON");
    println!("{json}");
    if allocations > 0.0 {
        println!("a hit allocates");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
