//! How fast the settler is against the database alone.
//!
//! Settles groups of batches from memory, then runs the same statements (source lock, ledger, raw
//! rows, rollups, totals) by SQL alone from tables prepared beforehand, in turns, and prints events
//! a second for both and their ratio. Needs a migrated scratch database, whose usage tables it
//! empties:
//!
//! ```text
//! DATABASE_URL=postgres://… cargo run --release -p tollkeeper-ingestor --example settle_throughput
//! ```

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement, not a service"
)]

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Executor, PgPool};
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::quota::QuotaCharges;
use tollkeeper_domain::usage::UsageEvent;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_ingestor::{Delivery, Partitions, Settler};
use tollkeeper_usage::message::subject;
use tollkeeper_usage::wire::{BatchBuilder, encode, encoded_len};
use uuid::Uuid;

const GROUPS: u64 = 15;
const BATCHES: u64 = 40;
const BATCH_EVENTS: u64 = 500;
const GROUP_EVENTS: u64 = BATCHES * BATCH_EVENTS;
const TOKENS: u64 = 500;
const ROUNDS: usize = 3;

/// The statements of one group, run from the prepared tables.
const SQL_ALONE: &str = "
    insert into usage_sources (source) select source from bench_ledger where grp = $1
    on conflict (source) do update set last_seen_at = now();
    select * from usage_ledger where source in (select source from bench_ledger where grp = $1);
    insert into api_token_usage
    select token_id, account_id, \"timestamp\", token_version, response_time_us, status, verdict,
           timestamp_replaced, method, endpoint, user_agent, ip
    from bench_raw where grp = $1;
    insert into api_token_usage_hourly as hourly
    select token_id, bucket, endpoint, method, status_class, requests, errors, latency
    from bench_hourly where grp = $1
    order by token_id, bucket, endpoint, method, status_class
    on conflict (token_id, bucket, endpoint, method, status_class) do update
    set requests = hourly.requests + excluded.requests, errors = hourly.errors + excluded.errors,
        latency = usage_histogram_add(hourly.latency, excluded.latency);
    insert into api_token_usage_daily as daily
    select token_id, bucket, endpoint, method, status_class, requests, errors, latency
    from bench_daily where grp = $1
    order by token_id, bucket, endpoint, method, status_class
    on conflict (token_id, bucket, endpoint, method, status_class) do update
    set requests = daily.requests + excluded.requests, errors = daily.errors + excluded.errors,
        latency = usage_histogram_add(daily.latency, excluded.latency);
    insert into api_token_usage_totals as totals
    select token_id, usage_count, last_used_at from bench_totals where grp = $1 order by token_id
    on conflict (token_id) do update
    set usage_count = totals.usage_count + excluded.usage_count,
        last_used_at = greatest(totals.last_used_at, excluded.last_used_at);
    delete from usage_ledger where source in (select source from bench_ledger where grp = $1);
    insert into usage_ledger select source, 1, last, 'counted' from bench_ledger where grp = $1";

const PREPARE: &str = "
    drop table if exists bench_raw, bench_hourly, bench_daily, bench_totals, bench_ledger;
    create table bench_raw as
    select (row_number() over (order by tableoid, ctid) - 1) / 20000 as grp, * from api_token_usage;
    create index on bench_raw (grp);
    create table bench_hourly as
    select grp, token_id, date_trunc('hour', \"timestamp\") as bucket, endpoint, method,
           (status / 100)::smallint as status_class, count(*) as requests,
           count(*) filter (where status >= 400) as errors, array_fill(1::bigint, array[24]) as latency
    from bench_raw group by 1, 2, 3, 4, 5, 6;
    create index on bench_hourly (grp);
    create table bench_daily as
    select grp, token_id, date_trunc('day', \"timestamp\", 'UTC') as bucket, endpoint, method,
           (status / 100)::smallint as status_class, count(*) as requests,
           count(*) filter (where status >= 400) as errors, array_fill(1::bigint, array[24]) as latency
    from bench_raw group by 1, 2, 3, 4, 5, 6;
    create index on bench_daily (grp);
    create table bench_totals as
    select grp, token_id, count(*) as usage_count, max(\"timestamp\") as last_used_at
    from bench_raw group by 1, 2;
    create index on bench_totals (grp);
    create table bench_ledger as
    select grp, source, (grp + 1) * (500 * 40 / 4) as last
    from (select distinct grp from bench_raw) groups, usage_sources;
    analyze bench_raw; analyze bench_hourly; analyze bench_daily; analyze bench_totals; analyze bench_ledger;";

const EMPTY: &str = "
    truncate usage_ledger, usage_sources, api_token_usage, api_token_usage_hourly,
             api_token_usage_daily, api_token_usage_totals, usage_dead_letters";

#[tokio::main]
async fn main() {
    let url = std::env::var("DATABASE_URL").unwrap();
    let pool = PgPool::connect(&url).await.unwrap();
    let groups: Vec<Vec<Delivery>> = (0..GROUPS).map(group).collect();
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        pool.execute(EMPTY).await.unwrap();
        let ours = rate(settle(&pool, &groups).await);
        if round == 0 {
            pool.execute(PREPARE).await.unwrap();
        }
        pool.execute(EMPTY).await.unwrap();
        let alone = rate(sql_alone(&pool).await);
        println!("settler {ours:>9.0} events/s   SQL alone {alone:>9.0} events/s");
        ratios.push(ours / alone);
    }
    ratios.sort_by(f64::total_cmp);
    println!("ratio {:.2} (median of {ROUNDS})", ratios[ROUNDS / 2]);
}

fn rate(took: Duration) -> f64 {
    (GROUPS * GROUP_EVENTS) as f64 / took.as_secs_f64()
}

async fn settle(pool: &PgPool, groups: &[Vec<Delivery>]) -> Duration {
    let partitions = Arc::new(Partitions::new(pool.clone()));
    let settler = Settler::new(pool.clone(), Arc::new(SystemClock), partitions, 90);
    let start = SystemClock.boot_time();
    for group in groups {
        // Reading the messages is part of the ingestor's work.
        let group: Vec<Delivery> = group
            .iter()
            .map(|delivery| Delivery::read(&delivery.subject, delivery.payload.clone()))
            .collect();
        let summary = settler.settle(&group).await.unwrap();
        assert_eq!(summary.events, GROUP_EVENTS);
    }
    SystemClock.boot_time() - start
}

async fn sql_alone(pool: &PgPool) -> Duration {
    let start = SystemClock.boot_time();
    for group in 0..GROUPS {
        let mut transaction = pool.begin().await.unwrap();
        for statement in SQL_ALONE.split(';') {
            let statement = sqlx::AssertSqlSafe(statement.to_owned());
            let statement = sqlx::query(statement).bind(group as i64);
            statement.execute(&mut *transaction).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }
    SystemClock.boot_time() - start
}

/// Four sources; each group continues all of them.
fn group(number: u64) -> Vec<Delivery> {
    let now = SystemClock.wall_micros();
    (0..BATCHES)
        .map(|batch| {
            let source = Uuid::from_u128(u128::from(batch % 4 + 1));
            let first = (number * (BATCHES / 4) + batch / 4) * BATCH_EVENTS + 1;
            let mut builder = BatchBuilder::new(source, first);
            for at in 0..BATCH_EVENTS {
                let event = event(number * GROUP_EVENTS + batch * BATCH_EVENTS + at, now);
                let mut record = vec![0; encoded_len(&event)];
                encode(&event, &mut record);
                builder.push(&record);
            }
            Delivery::read(&subject(source), builder.finish().2)
        })
        .collect()
}

/// Most traffic on a few tokens: the square of a spread number.
fn event(number: u64, now: i64) -> UsageEvent<'static> {
    const ENDPOINTS: [&str; 4] = ["/v1/items", "/v1/items/search", "/v1/orders", "/health"];
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let token = (spread % TOKENS) * (spread / TOKENS % TOKENS) / TOKENS;
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
        status: if spread.is_multiple_of(20) { 403 } else { 200 },
        verdict: if spread.is_multiple_of(20) {
            Verdict::InsufficientScope
        } else {
            Verdict::Valid
        },
        ip: Some([10, 0, (spread >> 8) as u8, spread as u8].into()),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64) bench/1.0",
        response_time_us: (spread % 5_000) as u32,
        at_micros: now - (spread % 1_000_000) as i64,
        cost: 1,
        charges: QuotaCharges::default(),
    }
}
