//! Transactions of the settler against a real database, without a broker: every refusal, every
//! reason for a dead letter, and races that are held open on purpose.

#![allow(
    clippy::unwrap_used,
    reason = "a test panics when its ground gives way"
)]

mod common;

use std::sync::Arc;

use bytes::Bytes;
use chrono::{Days, NaiveDate};
use common::{Expected, assert_counted, clock, event, settled};
use sqlx::PgPool;
use tollkeeper_domain::usage::UsageEvent;
use tollkeeper_ingestor::{Delivery, Fault, Partitions, Settler, Summary, upkeep_once};
use tollkeeper_testkit::{TestDatabase, wait_for};
use tollkeeper_usage::message::subject;
use tollkeeper_usage::wire::{BatchBuilder, encode, encoded_len};
use uuid::Uuid;

const SOURCE: Uuid = Uuid::from_u128(0x5eed);
const RETENTION_DAYS: u32 = 90;

fn settler(pool: &PgPool) -> Settler {
    let partitions = Arc::new(Partitions::new(pool.clone()));
    Settler::new(pool.clone(), clock(), partitions, RETENTION_DAYS)
}

fn now() -> i64 {
    clock().wall_micros()
}

fn batch(source: Uuid, first: u64, events: &[UsageEvent<'_>]) -> Delivery {
    let mut builder = BatchBuilder::new(source, first);
    for event in events {
        let mut record = vec![0; encoded_len(event)];
        encode(event, &mut record);
        builder.push(&record);
    }
    Delivery::read(&subject(source), builder.finish().2)
}

fn events(count: u64) -> Vec<UsageEvent<'static>> {
    (0..count).map(|number| event(number, now())).collect()
}

fn expected(events: &[UsageEvent<'_>]) -> Expected {
    let mut expected = Expected::default();
    events.iter().for_each(|event| expected.add(event));
    expected
}

async fn ledger(pool: &PgPool) -> Vec<(i64, i64, String)> {
    sqlx::query_as("select first, last, outcome from usage_ledger order by source, first")
        .fetch_all(pool)
        .await
        .unwrap()
}

async fn letters(pool: &PgPool) -> Vec<(Option<i64>, Option<i64>, String, String)> {
    sqlx::query_as("select first, last, reason, kind from usage_dead_letters order by first, id")
        .fetch_all(pool)
        .await
        .unwrap()
}

fn row(first: i64, last: i64, outcome: &str) -> (i64, i64, String) {
    (first, last, outcome.to_owned())
}

fn letter(
    first: i64,
    last: i64,
    reason: &str,
    kind: &str,
) -> (Option<i64>, Option<i64>, String, String) {
    (Some(first), Some(last), reason.to_owned(), kind.to_owned())
}

#[tokio::test]
async fn duplicates_count_nothing_and_ranges_merge() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let all = events(30);
    let parts = [
        batch(SOURCE, 1, &all[..10]),
        batch(SOURCE, 11, &all[10..20]),
        batch(SOURCE, 21, &all[20..]),
    ];
    // Out of order, twice in a group, and again later.
    settler
        .settle(&[parts[2].clone(), parts[0].clone(), parts[2].clone()])
        .await
        .unwrap();
    assert_eq!(
        ledger(&pool).await,
        [row(1, 10, "counted"), row(21, 30, "counted")]
    );
    let summary = settler.settle(&parts).await.unwrap();
    assert_eq!(
        (summary.counted, summary.duplicates, summary.events),
        (1, 2, 10)
    );
    assert_eq!(ledger(&pool).await, [row(1, 30, "counted")]);
    // Contained in a range that was merged.
    let summary = settler
        .settle(&[batch(SOURCE, 5, &all[4..25])])
        .await
        .unwrap();
    assert_eq!(
        summary,
        Summary {
            duplicates: 1,
            ..Summary::default()
        }
    );
    assert_counted(&pool, &expected(&all)).await;
}

#[tokio::test]
async fn an_overlap_is_never_counted_and_never_asked_for_again() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let all = events(20);
    settler
        .settle(&[batch(SOURCE, 1, &all[..10])])
        .await
        .unwrap();
    let summary = settler
        .settle(&[batch(SOURCE, 6, &all[5..15])])
        .await
        .unwrap();
    assert_eq!((summary.overlaps, summary.events), (1, 0));
    assert_eq!(
        ledger(&pool).await,
        [row(1, 10, "counted"), row(11, 15, "dead")]
    );
    assert_eq!(letters(&pool).await, [letter(6, 15, "overlap", "message")]);
    assert_counted(&pool, &expected(&all[..10])).await;
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_kept_raw() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let mut broken = batch(SOURCE, 1, &events(5)).payload.to_vec();
    *broken.last_mut().unwrap() ^= 0xff;
    let junk = Delivery::read("usage.nobody", Bytes::from_static(b"junk"));
    let broken = Delivery::read(&subject(SOURCE), broken.into());
    let summary = settler.settle(&[junk, broken.clone()]).await.unwrap();
    assert_eq!(summary.undecodable, 2);
    assert_eq!(ledger(&pool).await, [row(1, 5, "dead")]);
    let kept: Vec<(Option<Uuid>, Vec<u8>)> =
        sqlx::query_as("select source, payload from usage_dead_letters order by id")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(kept[0], (None, b"junk".to_vec()));
    assert_eq!(kept[1], (Some(SOURCE), broken.payload.to_vec()));
    // Delivered again, it is settled.
    let again = settler.settle(&[broken]).await.unwrap();
    assert_eq!(again.duplicates, 1);
}

#[tokio::test]
async fn refused_events_are_found_by_halving_and_the_rest_counts() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let mut all = events(300);
    // Postgres has no text with a NUL, and these tables no such numbers.
    all[7].endpoint = "/nul/\0";
    all[8].user_agent = "\0";
    all[150].status = 40_000;
    all[299].token_version = u64::MAX;
    let group = [
        batch(SOURCE, 1, &all[..100]),
        batch(SOURCE, 101, &all[100..]),
    ];
    let summary = settler.settle(&group).await.unwrap();
    assert_eq!(
        (summary.counted, summary.events, summary.dead_records),
        (2, 296, 4)
    );
    assert_eq!(
        ledger(&pool).await,
        [
            row(1, 7, "counted"),
            row(8, 9, "dead"),
            row(10, 150, "counted"),
            row(151, 151, "dead"),
            row(152, 299, "counted"),
            row(300, 300, "dead")
        ]
    );
    assert_eq!(
        letters(&pool).await,
        [
            letter(8, 8, "refused", "record"),
            letter(9, 9, "refused", "record"),
            letter(151, 151, "undecodable", "record"),
            letter(300, 300, "undecodable", "record")
        ]
    );
    let good: Vec<_> = (0..300)
        .filter(|at| ![7, 8, 150, 299].contains(at))
        .map(|at| all[at])
        .collect();
    assert_counted(&pool, &expected(&good)).await;
    assert_eq!(settler.settle(&group).await.unwrap().duplicates, 2);
}

#[tokio::test]
async fn a_message_that_the_ledger_refuses_does_not_hold_up_the_others() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    sqlx::query("alter table usage_ledger add constraint broken check (first <> 11)")
        .execute(&pool)
        .await
        .unwrap();
    let all = events(40);
    // Not neighbours: merged into one row, the range would not begin at 11.
    let group = [
        batch(Uuid::from_u128(1), 1, &all[..10]),
        batch(SOURCE, 11, &all[10..20]),
        batch(Uuid::from_u128(2), 21, &all[20..30]),
        batch(Uuid::from_u128(3), 31, &all[30..]),
    ];
    let summary = settler.settle(&group).await.unwrap();
    assert_eq!(
        (summary.counted, summary.events, summary.refused),
        (3, 30, 1)
    );
    let kept: Vec<(Vec<u8>, String)> =
        sqlx::query_as("select payload, detail from usage_dead_letters")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(
        kept,
        [(
            group[1].payload.to_vec(),
            "broken (SQLSTATE 23514)".to_owned()
        )]
    );
    let good: Vec<_> = [&all[..10], &all[20..]].concat();
    assert_counted(&pool, &expected(&good)).await;
}

#[tokio::test]
async fn impossible_times_are_replaced_and_old_days_made_on_demand() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let day = 86_400_000_000_i64;
    let mut all = events(5);
    all[0].at_micros = now() - 100 * day;
    all[1].at_micros = now() + 10 * 60 * 1_000_000;
    all[2].at_micros = i64::MIN;
    all[3].at_micros = now() - 40 * day;
    let summary = settler.settle(&[batch(SOURCE, 1, &all)]).await.unwrap();
    assert_eq!((summary.events, summary.replaced), (5, 3));
    let replaced: Vec<bool> = sqlx::query_scalar(
        r#"select timestamp_replaced from api_token_usage order by "timestamp", timestamp_replaced"#,
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(replaced.iter().filter(|flag| **flag).count(), 3);
    let days: Vec<NaiveDate> = sqlx::query_scalar("select day from usage_partitions order by day")
        .fetch_all(&pool)
        .await
        .unwrap();
    let today = clock().now().date_naive();
    assert!(days.contains(&today) && days.contains(&(today - Days::new(40))));
}

#[tokio::test]
async fn upkeep_makes_days_ahead_and_drops_old_ones_and_a_dropped_day_comes_back() {
    let pool = TestDatabase::create().await.pool;
    let partitions = Arc::new(Partitions::new(pool.clone()));
    let now = clock().now();
    let old = now.date_naive() - Days::new(u64::from(RETENTION_DAYS) + 1);
    partitions.ensure(&[old].into()).await.unwrap();
    upkeep_once(&partitions, now, RETENTION_DAYS).await.unwrap();
    let days: Vec<NaiveDate> = sqlx::query_scalar("select day from usage_partitions order by day")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(days.len(), 8);
    assert_eq!(days[0], now.date_naive());

    // Another ingestor dropped the day this one believes in.
    let settler = Settler::new(
        pool.clone(),
        clock(),
        Arc::clone(&partitions),
        RETENTION_DAYS,
    );
    sqlx::query("select usage_partition_drop($1)")
        .bind(now.date_naive())
        .execute(&pool)
        .await
        .unwrap();
    let all = events(3);
    let group = [batch(SOURCE, 1, &all)];
    let missing = settler.settle(&group).await;
    assert!(matches!(missing, Err(Fault::NoPartition)), "{missing:?}");
    settler.settle(&group).await.unwrap();
    assert_counted(&pool, &expected(&all)).await;
}

#[tokio::test]
async fn last_used_only_moves_forward_and_only_for_allowed_calls() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let base = event(1, now());
    let refused = UsageEvent {
        verdict: tollkeeper_domain::verdict::Verdict::Revoked,
        ..base
    };
    let older = UsageEvent {
        at_micros: base.at_micros - 50,
        ..base
    };
    let newer_refused = UsageEvent {
        at_micros: base.at_micros + 50,
        ..refused
    };
    let mut all = Vec::new();
    for (first, event) in [
        (1, newer_refused),
        (2, base),
        (3, older),
        (4, newer_refused),
    ] {
        settler
            .settle(&[batch(SOURCE, first, &[event])])
            .await
            .unwrap();
        all.push(event);
    }
    assert_counted(&pool, &expected(&all)).await;
}

#[tokio::test]
async fn the_same_batch_at_two_ingestors_at_once_counts_once() {
    let pool = TestDatabase::create().await.pool;
    let all = events(500);
    let group: Vec<Delivery> = (0..5)
        .map(|part| batch(SOURCE, part * 100 + 1, &all[part as usize * 100..][..100]))
        .collect();
    let (one, two) = (settler(&pool), settler(&pool));

    // Both are held back by a lock on the source row until both wait for it.
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("insert into usage_sources (source) values ($1)")
        .bind(SOURCE)
        .execute(&mut *holder)
        .await
        .unwrap();
    let reversed: Vec<Delivery> = group.iter().rev().cloned().collect();
    let release = async {
        wait_for("both ingestors to wait", || async {
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity
                 where datname = current_database() and wait_event_type = 'Lock'",
            )
            .fetch_one(&pool)
            .await
            .unwrap();
            waiting == 2
        })
        .await;
        holder.commit().await.unwrap();
    };
    let (first, second, ()) = tokio::join!(one.settle(&group), two.settle(&reversed), release);
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.counted + second.counted, 5);
    assert_eq!(first.duplicates + second.duplicates, 5);
    assert_counted(&pool, &expected(&all)).await;
}

#[tokio::test]
async fn many_sources_and_hot_tokens_do_not_deadlock() {
    let pool = TestDatabase::create().await.pool;
    let all = events(200);
    let sources: Vec<Uuid> = (1..=8).map(Uuid::from_u128).collect();
    let work = (0..4).map(|worker| {
        let (pool, all, sources) = (pool.clone(), all.clone(), sources.clone());
        tokio::spawn(async move {
            let settler = settler(&pool);
            for round in 0..5_u64 {
                let first = (worker * 5 + round) * 200 + 1;
                let mut group: Vec<Delivery> = sources
                    .iter()
                    .map(|source| batch(*source, first, &all))
                    .collect();
                group.rotate_left(worker as usize);
                settler.settle(&group).await.unwrap();
            }
        })
    });
    for worker in work.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    assert_eq!(settled(&pool, "counted").await, 4 * 5 * 8 * 200);
    let totals: i64 =
        sqlx::query_scalar("select sum(usage_count)::bigint from api_token_usage_totals")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(totals, 4 * 5 * 8 * 200);
}

#[tokio::test]
async fn the_database_itself_refuses_what_must_not_be() {
    let pool = TestDatabase::create().await.pool;
    let source =
        "insert into usage_sources (source) values ('00000000-0000-0000-0000-000000000001')";
    sqlx::query(source).execute(&pool).await.unwrap();
    let ledger_row = |first: i64, last: i64, outcome: &str| {
        format!(
            "insert into usage_ledger values
             ('00000000-0000-0000-0000-000000000001', {first}, {last}, '{outcome}')"
        )
    };
    let hourly = |requests: i64, errors: i64, bucket: &str, width: usize| {
        format!(
            "insert into api_token_usage_hourly values ('00000000-0000-0000-0000-000000000001',
             '{bucket}', '/', 'GET', 2, {requests}, {errors}, array_fill(0::bigint, array[{width}]))"
        )
    };
    let day = "2026-01-01T00:00:00Z";
    let good = ledger_row(5, 9, "counted");
    sqlx::query(sqlx::AssertSqlSafe(good))
        .execute(&pool)
        .await
        .unwrap();
    for (statement, constraint) in [
        (ledger_row(9, 12, "dead"), "usage_ledger_no_overlap"),
        (ledger_row(1, 5, "dead"), "usage_ledger_no_overlap"),
        (ledger_row(0, 2, "dead"), "usage_ledger_first_positive"),
        (ledger_row(20, 20, "lost"), "usage_ledger_outcome_known"),
        (hourly(0, 0, day, 24), "api_token_usage_hourly_counts_sane"),
        (hourly(1, 2, day, 24), "api_token_usage_hourly_counts_sane"),
        (hourly(1, 0, day, 23), "api_token_usage_hourly_latency_width"),
        (hourly(1, 0, "2026-01-01T00:30:00Z", 24), "api_token_usage_hourly_bucket_is_hour"),
        (
            "insert into api_token_usage_totals values (gen_random_uuid(), 0, null)".to_owned(),
            "api_token_usage_totals_count_positive",
        ),
        (
            "insert into usage_ledger values (gen_random_uuid(), 1, 1, 'dead')".to_owned(),
            "usage_ledger_source_known",
        ),
        (
            "insert into usage_dead_letters (received_at, first, reason, detail, kind, subject, payload)
             values (now(), 1, 'refused', '', 'record', '', '')"
                .to_owned(),
            "usage_dead_letters_range_whole",
        ),
    ] {
        let error = sqlx::query(sqlx::AssertSqlSafe(statement.clone()))
            .execute(&pool)
            .await
            .unwrap_err();
        let found = error.as_database_error().and_then(|error| error.constraint());
        assert_eq!(found, Some(constraint), "{statement}");
    }
}

#[tokio::test]
async fn beyond_a_hundred_templates_an_hour_the_rest_is_other() {
    let pool = TestDatabase::create().await.pool;
    let base = event(0, now());
    let paths: Vec<String> = (0..150).map(|number| format!("/page-{number}/x")).collect();
    let all: Vec<_> = paths
        .iter()
        .map(|path| UsageEvent {
            endpoint: path,
            at_micros: base.at_micros,
            ..base
        })
        .collect();
    settler(&pool)
        .settle(&[batch(SOURCE, 1, &all[..120])])
        .await
        .unwrap();
    // Another ingestor, or the same after a restart, knows what was admitted.
    settler(&pool)
        .settle(&[batch(SOURCE, 121, &all[120..])])
        .await
        .unwrap();
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select endpoint, requests from api_token_usage_hourly where endpoint = '(other)'
         union all select 'all', count(*) from api_token_usage_hourly",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(rows, [("(other)".to_owned(), 50), ("all".to_owned(), 101)]);
    assert_counted(&pool, &expected(&all)).await;
}
