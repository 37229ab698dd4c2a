//! The whole road on one machine: client, API, NATS, ingestor and Postgres share its cores, and probes
//! measure how long it takes from an answer until its row is committed.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::PgPool;
use tokio::task::JoinSet;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{Stack, wait_for};
use uuid::Uuid;

use crate::forward_auth::{PATH, tokens};
use crate::process::family_cpu_seconds;
use crate::report::{Report, median};
use crate::traffic::Traffic;
use crate::{Arguments, Failure, open_loop};

/// The rate of the goal, and higher ones, in requests a second.
const RATES: [f64; 5] = [15_000.0, 20_000.0, 25_000.0, 30_000.0, 40_000.0];
/// How long the first of them is kept up, and how long each other.
const LONG_SECONDS: u32 = 60;
const SHORT_SECONDS: u32 = 15;
/// Within which p99 a rate holds.
const HOLDS: f64 = 1.0;

const PROBES: usize = 4;
/// How often a probe looks for its row. What it costs Postgres is in the figures.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Measures each rate until one does not hold.
pub(crate) async fn measure(
    stack: &mut Stack,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let api = stack.api(&[]).await;
    let ingestor = stack.ingestor(&[]).await;
    let pool = stack.database.pool.clone();
    let all = tokens(&api, 500).await;
    let traffic = Traffic::in_turn(&all);
    // Everything warm, and the day's partition made.
    open_loop::run(api.public, PATH, &traffic, RATES[0], 2).await?;
    arrived(&api, &pool).await;
    for rate in RATES {
        let seconds = if rate == RATES[0] {
            LONG_SECONDS
        } else {
            SHORT_SECONDS.min(3 * arguments.seconds)
        };
        let pids = [
            api.pid(),
            ingestor.pid(),
            stack.nats.pid(),
            stack.server().pid(),
        ];
        let before = cpu(pids)?;
        let rows_before = rows_on_disk(&pool).await?;
        let probes = Probes::start(&api, &pool, rate).await;
        let latencies = open_loop::run(api.public, PATH, &traffic, rate, seconds).await?;
        let mut lags = probes.stop().await?;
        arrived(&api, &pool).await;
        let after = cpu(pids)?;
        lags.sort_by(f64::total_cmp);
        let p99 = lags[(lags.len() * 99).div_ceil(100) - 1];
        let millions = latencies.len() as f64 / 1e6;
        let cost = |place: usize| (after[place] - before[place]) / millions;
        let disk = (rows_on_disk(&pool).await? - rows_before) / f64::from(1 << 20) / millions;
        report.row(
            &format!("whole road at {rate:.0} req/s for {seconds} s: answer to committed row, p99"),
            "≤ 1 s at 15,000",
            format!(
                "**{p99:.2} s** (median {:.2} s, {} probes); p99 of answers {:.1} ms",
                median(lags.clone()),
                lags.len(),
                latencies.quantile(0.99) / 1e3
            ),
            format!(
                "for a million requests: CPU of the API {:.1} s, ingestor {:.1} s, NATS {:.1} s, \
                 Postgres {:.1} s; raw rows {disk:.0} MiB",
                cost(0),
                cost(1),
                cost(2),
                cost(3)
            ),
        );
        if p99 > HOLDS {
            break;
        }
    }
    Ok(())
}

fn cpu(pids: [u32; 4]) -> Result<[f64; 4], Failure> {
    let mut seconds = [0.0; 4];
    for (seconds, pid) in seconds.iter_mut().zip(pids) {
        *seconds = family_cpu_seconds(pid)?;
    }
    Ok(seconds)
}

/// What raw rows and their indexes take, in bytes.
async fn rows_on_disk(pool: &PgPool) -> Result<f64, sqlx::Error> {
    let bytes = "select coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint from pg_inherits
        where inhparent = 'api_token_usage'::regclass";
    let bytes: i64 = sqlx::query_scalar(bytes).fetch_one(pool).await?;
    Ok(bytes as f64)
}

/// Waits until every event that was appended has its row, as long as there are more and more of them.
pub(crate) async fn arrived(api: &Node, pool: &PgPool) {
    let missing = Cell::new(i64::MAX);
    while missing.get() > 0 {
        let before = missing.get();
        wait_for("every row, or more of them", async || {
            let now = without_row(api, pool).await;
            missing.set(now.unwrap_or(before));
            missing.get() < before
        })
        .await;
    }
}

/// How many events were appended that have no row; `None` where that cannot be read.
async fn without_row(api: &Node, pool: &PgPool) -> Option<i64> {
    let metrics = api.about_itself("/metrics").await.text;
    let name = "tollkeeper_usage_spool_appended_total ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    let appended: i64 = line?.trim().parse().ok()?;
    let counted = sqlx::query_scalar("select sum(last - first + 1)::bigint from usage_ledger");
    let counted: Option<i64> = counted.fetch_one(pool).await.ok()?;
    Some(appended - counted.unwrap_or(0))
}

/// Requests whose rows are waited for, each probe one after the other with a token of its own.
struct Probes {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Result<Vec<f64>, sqlx::Error>>,
}

impl Probes {
    async fn start(api: &Node, pool: &PgPool, rate: f64) -> Self {
        let operator = api.operator();
        let account = operator.account(&format!("probes-{rate}")).await;
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for _ in 0..PROBES {
            let token = operator.issue(&account, serde_json::json!({})).await;
            let id: Uuid = serde_json::from_value(token["id"].clone()).unwrap_or_default();
            let caller = api.bearer(token["token"].as_str().unwrap_or_default());
            tasks.spawn(probe(caller, id, pool.clone(), Arc::clone(&stop)));
        }
        Self { stop, tasks }
    }

    /// How long each row took, in seconds.
    async fn stop(self) -> Result<Vec<f64>, sqlx::Error> {
        self.stop.store(true, Ordering::SeqCst);
        let each: Result<Vec<Vec<f64>>, sqlx::Error> =
            self.tasks.join_all().await.into_iter().collect();
        Ok(each?.concat())
    }
}

async fn probe(
    caller: Person,
    token: Uuid,
    pool: PgPool,
    stop: Arc<AtomicBool>,
) -> Result<Vec<f64>, sqlx::Error> {
    let mut lags = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        caller.get("/v1/forward-auth/probe").await.expect(200);
        let answered = SystemClock.boot_time();
        let expected = lags.len() as i64 + 1;
        loop {
            let rows =
                sqlx::query_scalar("select count(*) from api_token_usage where token_id = $1");
            let rows: i64 = rows.bind(token).fetch_one(&pool).await?;
            if rows >= expected {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        lags.push((SystemClock.boot_time() - answered).as_secs_f64());
    }
    Ok(lags)
}
