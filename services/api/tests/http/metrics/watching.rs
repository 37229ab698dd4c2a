//! Metrics that are read from elsewhere: the process, the pools, the broker, the tables.

use sqlx::PgPool;
use tollkeeper_telemetry::process::VERSION;
use tollkeeper_testkit::{FaultProxy, Stack, wait_for};
use uuid::Uuid;

use super::scrape::Scrape;

const CONNECTIONS: &str = "tollkeeper_database_connections";
const MOST: &str = "tollkeeper_database_connections_max";

#[tokio::test]
async fn a_process_tells_of_itself_and_of_its_pools() {
    let mut stack = Stack::bare().await;
    let (api, ingestor) = (stack.api(&[]).await, stack.ingestor(&[]).await);
    for node in [&api, &ingestor] {
        let shown = Scrape::of(node).await;
        assert_eq!(
            shown.value("tollkeeper_build_info", &[("version", VERSION)]),
            1.0
        );
        assert_eq!(shown.value("tollkeeper_nats_connected", &[]), 1.0);
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
            "process_open_fds",
            "process_threads",
        ] {
            assert!(shown.value(name, &[]) > 0.0, "{name}");
        }
        let open = shown.value("process_open_fds", &[]);
        assert!(shown.value("process_max_fds", &[]) > open);
        // Later than the day on which this was written.
        assert!(shown.value("process_start_time_seconds", &[]) > 1.7e9);
        let most = shown.value(MOST, &[("pool", "main")]);
        let there = ["in_use", "idle"].map(|state| {
            let labels = [("pool", "main"), ("state", state)];
            shown.value(CONNECTIONS, &labels)
        });
        assert!(there[0] + there[1] >= 1.0, "{there:?}");
        assert!(there[0] + there[1] <= most, "{there:?}");
    }
    let shown = Scrape::of(&api).await;
    assert_eq!(shown.value(MOST, &[("pool", "replica")]), 0.0);
    for pool in ["writer", "webhooks", "nodes", "usage", "reports"] {
        assert!(shown.value(MOST, &[("pool", pool)]) > 0.0, "{pool}");
    }
    assert!(shown.value("tollkeeper_verification_cache_max_bytes", &[]) > 0.0);
    assert_eq!(
        shown.value("tollkeeper_nats_credentials_expiry_timestamp_seconds", &[]),
        0.0
    );
    assert_eq!(
        shown.value("tollkeeper_tls_certificate_expiry_timestamp_seconds", &[]),
        0.0
    );
}

/// A run with one lane that gave out ten numbers, of which seven are in the ledger.
async fn incomplete(pool: &PgPool, source: Uuid, seconds_ago: f64, has_ended: bool) {
    sqlx::query(
        "insert into usage_reporters
           (id, name, started_at, seen_at, sources, marked_at, appended, checked_at, checked,
            complete_through, ended_at)
         values ($1, 'gateway-7', now() - interval '1 day', now() - make_interval(secs => $2),
            array[$1], now() - interval '60 seconds', array[10::bigint],
            now() - interval '70 seconds', array[9], now() - interval '100 seconds',
            case when $3 then now() end)",
    )
    .bind(source)
    .bind(seconds_ago)
    .bind(has_ended)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query("insert into usage_sources (source) values ($1)")
        .bind(source)
        .execute(pool)
        .await
        .unwrap();
    sqlx::query("insert into usage_ledger values ($1, 1, 5, 'counted'), ($1, 8, 9, 'dropped')")
        .bind(source)
        .execute(pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_ingestor_tells_what_is_missing_and_what_waits_for_somebody() {
    let mut stack = Stack::bare().await;
    let pool = stack.database.pool.clone();
    incomplete(&pool, Uuid::from_u128(1), 600.0, false).await;
    incomplete(&pool, Uuid::from_u128(2), 600.0, true).await;
    // What is on its way is not missing.
    incomplete(&pool, Uuid::from_u128(3), 0.0, false).await;
    for detail in ["one", "two"] {
        sqlx::query(
            "insert into usage_dead_letters (received_at, reason, detail, kind, subject, payload)
             values (now(), 'undecodable', $1, 'message', 'usage.x', '')",
        )
        .bind(detail)
        .execute(&pool)
        .await
        .unwrap();
    }
    for day in 0..=8 {
        // The day after the seventh is missing.
        let day = if day == 8 { 9 } else { day };
        sqlx::query("select usage_partition_create((now() at time zone 'utc')::date + $1)")
            .bind(day)
            .execute(&pool)
            .await
            .unwrap();
    }
    let ingestor = stack.ingestor(&[]).await;
    wait_for("the tables to be told of", async || {
        let shown = Scrape::of(&ingestor).await;
        shown.value("tollkeeper_usage_ledger_missing_events", &[]) == 6.0
            && shown.value("tollkeeper_usage_vanished_sources", &[]) == 1.0
            && shown.value("tollkeeper_usage_dead_letters_waiting", &[]) == 2.0
            && shown.value("tollkeeper_usage_completeness_lag_seconds", &[]) >= 100.0
            && shown.value("tollkeeper_usage_partitions_ahead", &[]) == 7.0
    })
    .await;
    wait_for("the stream to be told of", async || {
        let shown = Scrape::of(&ingestor).await;
        shown.value("tollkeeper_usage_stream_max_bytes", &[]) == f64::from(1 << 30) * 4.0
            && shown.value("tollkeeper_usage_consumer_pending", &[]) == 0.0
    })
    .await;
}

#[tokio::test]
async fn readings_of_the_log_are_counted_by_whether_they_moved_the_proof() {
    let mut stack = Stack::bare().await;
    let proxy = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(proxy.address());
    let api = stack.api(&[]).await;
    let reads = async |outcome: &str| {
        let shown = Scrape::of(&api).await;
        let name = "tollkeeper_verification_head_reads_total";
        shown.value(name, &[("outcome", outcome)])
    };
    wait_for("a reading to be told", async || reads("ok").await >= 1.0).await;
    assert_eq!(reads("failed").await, 0.0);
    proxy.cut();
    wait_for("a failure to be told", async || {
        reads("failed").await >= 1.0
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_is_counted_and_stays_as_it_was() {
    let mut stack = Stack::bare().await;
    let ingestor = stack.ingestor(&[]).await;
    let told = async |name: &str| Scrape::of(&ingestor).await.value(name, &[]);
    wait_for("the stream to be told of", async || {
        told("tollkeeper_usage_stream_max_bytes").await > 0.0
    })
    .await;
    stack.nats.kill().await;
    wait_for("a failure to be counted", async || {
        let shown = Scrape::of(&ingestor).await;
        let failures = "tollkeeper_usage_watch_failures_total";
        shown.value(failures, &[("server", "nats")]) >= 1.0
    })
    .await;
    assert!(told("tollkeeper_usage_stream_max_bytes").await > 0.0);
    assert_eq!(told("tollkeeper_nats_connected").await, 0.0);
}
