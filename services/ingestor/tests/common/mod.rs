//! A broker with the shipped stream, a database, spools that report, and ingestors to be killed.

#![allow(
    clippy::unwrap_used,
    reason = "a test panics when its ground gives way"
)]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program uses its part of this"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use tollkeeper_ambient::{SharedClock, SharedEntropy, SystemClock, SystemEntropy};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::quota::{QuotaCharge, QuotaCharges, QuotaOwner, QuotaRefill};
use tollkeeper_domain::usage::UsageEvent;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::{TestDatabase, TestNats, wait_for};
use tollkeeper_usage::wire::{encode, encoded_len};
use tollkeeper_usage::{
    PostgresLedger, Publisher, PublisherHandle, PublisherSettings, Spool, SpoolSettings,
};
use uuid::Uuid;

pub struct Pipeline {
    pub nats: TestNats,
    pub database: TestDatabase,
    pub client: async_nats::Client,
}

impl Pipeline {
    pub async fn start() -> Self {
        let (nats, database) = tokio::join!(TestNats::start(), TestDatabase::create());
        let client = nats.client().await;
        apply(&client).await;
        Self {
            nats,
            database,
            client,
        }
    }

    pub fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    pub fn ingestor(&self) -> Ingestor {
        Ingestor::start(&self.database.url, &self.nats.url())
    }

    pub fn publisher(&self, spool: &Arc<Spool>) -> PublisherHandle {
        publisher(spool, &self.client, self.pool())
    }

    /// Waits until this many events are settled as `outcome`.
    pub async fn settled(&self, outcome: &str, events: u64) {
        wait_for(&format!("{events} {outcome} events"), || async {
            settled(self.pool(), outcome).await >= events
        })
        .await;
    }
}

/// A publisher of `spool` that looks at everything often.
pub fn publisher(
    spool: &Arc<Spool>,
    client: &async_nats::Client,
    ledger: &PgPool,
) -> PublisherHandle {
    let settings = PublisherSettings {
        linger: Duration::from_millis(10),
        ledger_every: Duration::from_millis(20),
        ack_timeout: Duration::from_secs(2),
        max_backoff: Duration::from_millis(200),
        ..PublisherSettings::default()
    };
    let ledger = Arc::new(PostgresLedger::new(ledger.clone()));
    Publisher::new(Arc::clone(spool), client.clone(), ledger, settings).start()
}

/// Makes the stream and its consumer from the files that are shipped. Only the wait before a killed
/// ingestor's messages come again is shorter, as tests wait for it.
pub async fn apply(client: &async_nats::Client) {
    let stream = include_str!("../../../../nats/streams/USAGE.json");
    let consumer = include_str!("../../../../nats/consumers/USAGE.ingestor.json");
    let stream: async_nats::jetstream::stream::Config = serde_json::from_str(stream).unwrap();
    let mut consumer: async_nats::jetstream::consumer::pull::Config =
        serde_json::from_str(consumer).unwrap();
    consumer.ack_wait = Duration::from_secs(2);
    let jetstream = async_nats::jetstream::new(client.clone());
    let stream = jetstream.create_stream(stream).await.unwrap();
    stream.create_consumer(consumer).await.unwrap();
}

/// The real process.
pub struct Ingestor(Child);

impl Ingestor {
    pub fn start(database: &str, nats: &str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_tollkeeper-ingestor"))
            .env("TOLLKEEPER_DATABASE_URL", database)
            .env("TOLLKEEPER_NATS_URL", nats)
            .env("TOLLKEEPER_INTERNAL_LISTEN", "127.0.0.1:0")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// SIGTERM; returns whether it ended well.
    pub async fn stop(mut self) -> bool {
        let id = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        tokio::task::block_in_place(|| self.0.wait())
            .unwrap()
            .success()
    }
}

impl Drop for Ingestor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn clock() -> SharedClock {
    Arc::new(SystemClock)
}

pub fn open_spool(dir: &Path, lanes: usize) -> Arc<Spool> {
    let settings = SpoolSettings {
        segment_bytes: 64 << 10,
        lanes,
        ..SpoolSettings::new(dir)
    };
    let entropy: SharedEntropy = Arc::new(SystemEntropy);
    Spool::open(settings, clock(), entropy).unwrap()
}

/// What should be counted, kept beside the spool as its oracle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Per token: how many, and the newest allowed call in microseconds.
    pub tokens: BTreeMap<Uuid, (i64, Option<i64>)>,
    /// What was used, by owner and generation.
    pub used: BTreeMap<(Uuid, i32), i64>,
}

impl Expected {
    pub fn events(&self) -> u64 {
        self.tokens.values().map(|token| token.0 as u64).sum()
    }

    pub fn add(&mut self, event: &UsageEvent<'_>) {
        let token = self.tokens.entry(event.token_id.0).or_default();
        token.0 += 1;
        if event.verdict == Verdict::Valid {
            token.1 = token.1.max(Some(event.at_micros));
        }
        for charge in event.charges.as_slice() {
            let owner = match charge.owner {
                QuotaOwner::Token => event.token_id.0,
                QuotaOwner::Account => event.account_id.0,
            };
            let used = self.used.entry((owner, charge.generation as i32));
            *used.or_default() += i64::from(event.cost);
        }
    }
}

/// A varied event: a few hot tokens, several endpoints, some refused.
pub fn event(number: u64, now: i64) -> UsageEvent<'static> {
    let endpoints = ["/v1/items", "/v1/items/7", "/v1/items/8", "/health"];
    let refused = number.is_multiple_of(11);
    UsageEvent {
        token_id: TokenId(Uuid::from_u128(u128::from(number % 7 * (number % 3)))),
        account_id: AccountId(Uuid::from_u128(1)),
        token_version: 1,
        endpoint: endpoints[number as usize % 4],
        method: if number.is_multiple_of(5) {
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
        ip: Some([192, 0, 2, number as u8].into()),
        user_agent: "tests/1",
        request_id: "",
        response_time_us: (number % 1_000) as u32 * 10,
        at_micros: now - (number as i64 % 1_000),
        cost: 1,
        charges: QuotaCharges::default(),
    }
}

/// The same as [`event`], charged to quotas of its token and of its account where it was let through.
pub fn charged_event(number: u64, now: i64) -> UsageEvent<'static> {
    let mut event = event(number, now);
    if event.verdict == Verdict::Valid {
        event.cost = 1 + (number % 3) as u32;
        for (owner, refill) in [
            (QuotaOwner::Account, QuotaRefill::Daily),
            (QuotaOwner::Token, QuotaRefill::None),
        ] {
            let generation = 1 + (number % 2) as u32;
            let charge = QuotaCharge {
                owner,
                generation,
                refill,
            };
            assert!(event.charges.push(charge));
        }
    }
    event
}

/// Has these events wait as if they had been reported to the API.
pub async fn report(pool: &PgPool, events: &[UsageEvent<'_>]) {
    let record = |event: &UsageEvent<'_>| {
        let mut record = vec![0; encoded_len(event)];
        encode(event, &mut record);
        record
    };
    let records: Vec<Vec<u8>> = events.iter().map(record).collect();
    sqlx::query(
        "insert into usage_reports (account_id, received_at, record)
    select $1, now(), record from unnest($2::bytea[]) as record",
    )
    .bind(Uuid::from_u128(1))
    .bind(&records)
    .execute(pool)
    .await
    .unwrap();
}

pub async fn settled(pool: &PgPool, outcome: &str) -> u64 {
    let sum: Option<i64> = sqlx::query_scalar(
        "select sum(last - first + 1)::bigint from usage_ledger where outcome = $1",
    )
    .bind(outcome)
    .fetch_one(pool)
    .await
    .unwrap();
    sum.unwrap_or(0).unsigned_abs()
}

/// Raw rows, rollups, totals and balances all say exactly what was appended.
pub async fn assert_counted(pool: &PgPool, expected: &Expected) {
    type Row = (Uuid, i64);
    let raw: Vec<Row> =
        sqlx::query_as("select token_id, count(*) from api_token_usage group by 1 order by 1")
            .fetch_all(pool)
            .await
            .unwrap();
    let hourly: Vec<Row> = sqlx::query_as(
        "select token_id, sum(requests)::bigint from api_token_usage_hourly group by 1 order by 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let latencies: Vec<Row> = sqlx::query_as(
        "select token_id, (select sum(n)::bigint from unnest(usage_histogram_sum(latency)) n)
         from api_token_usage_hourly group by 1 order by 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    // Day by day what the hours say, histograms included.
    let apart: i64 = sqlx::query_scalar(
        "select count(*) from (
            select token_id, date_bin('1 day', bucket, '1970-01-01Z') as day, endpoint, method,
                   status_class, sum(requests) as requests, sum(errors) as errors,
                   usage_histogram_sum(latency) as latency
            from api_token_usage_hourly group by 1, 2, 3, 4, 5
         ) as hours
         full join api_token_usage_daily as days
           on (days.token_id, days.bucket, days.endpoint, days.method, days.status_class)
            = (hours.token_id, hours.day, hours.endpoint, hours.method, hours.status_class)
         where (days.requests, days.errors, days.latency)
            is distinct from (hours.requests, hours.errors, hours.latency)",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    // And what accounts have is what their tokens have, on each day and in each hour.
    let of_accounts: i64 = sqlx::query_scalar(
        "select (select count(*) from usage_token_days_different($1, $2, null))
            + (select count(*) from usage_account_hours_different($1, $2))
            + (select count(*) from usage_account_days_different($1, $2))",
    )
    .bind(DateTime::<Utc>::UNIX_EPOCH)
    .bind(DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(100_000))
    .fetch_one(pool)
    .await
    .unwrap();
    let totals: Vec<(Uuid, i64, Option<i64>)> = sqlx::query_as(
        "select token_id, usage_count, (extract(epoch from last_used_at) * 1000000)::bigint
         from api_token_usage_totals order by 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let used: Vec<(Uuid, i32, i64)> = sqlx::query_as(
        "select owner, generation, sum(used)::bigint from quota_balances
         group by 1, 2 order by 1, 2",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let should = expected.used.iter();
    let should: Vec<_> = should.map(|(key, used)| (key.0, key.1, *used)).collect();
    let counts: Vec<Row> = expected
        .tokens
        .iter()
        .map(|(id, token)| (*id, token.0))
        .collect();
    let all: Vec<_> = expected
        .tokens
        .iter()
        .map(|(id, token)| (*id, token.0, token.1))
        .collect();
    assert_eq!(raw, counts, "raw rows");
    assert_eq!(hourly, counts, "rollups");
    assert_eq!(latencies, counts, "histograms");
    assert_eq!(apart, 0, "days that are not the sum of their hours");
    assert_eq!(
        of_accounts, 0,
        "sums of accounts that are not those of tokens"
    );
    assert_eq!(totals, all, "totals");
    assert_eq!(used, should, "balances");
}
