//! Sums of usage against the raw rows: the database adds up as the ingestor does, whatever differs is
//! told, and it is put right while others count.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, DurationRound, NaiveTime, TimeDelta, Utc};
use sqlx::{Executor, PgConnection};
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_ingestor::audit_once;
use tollkeeper_read_model::rollups::{self, Report, Sums, rebuild, verify};

use super::*;

const HOUR: i64 = 3_600_000_000;

/// Three days, the last of them today: whatever a test counts lies within them.
fn days() -> rollups::Days {
    let today = clock().now().date_naive();
    rollups::Days {
        first: today - Days::new(2),
        last: today,
        rollups_from: DateTime::UNIX_EPOCH,
    }
}

async fn connection(pool: &PgPool) -> PgConnection {
    pool.acquire().await.unwrap().detach()
}

async fn found(pool: &PgPool) -> Report {
    verify(&mut connection(pool).await, days()).await.unwrap()
}

async fn mended(pool: &PgPool) -> Report {
    rebuild(&mut connection(pool).await, days()).await.unwrap()
}

/// All sums, as text.
async fn sums(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "select 'hour ' || h::text from api_token_usage_hourly h
         union all select 'day ' || d::text from api_token_usage_daily d
         union all select 'total ' || t::text from api_token_usage_totals t
         union all select 'token day ' || d::text from account_token_usage_daily d
         union all select 'account hour ' || h::text from account_usage_hourly h
         union all select 'account day ' || d::text from account_usage_daily d order by 1",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

/// Everything that decides where an event counts, in all its forms.
fn varied(paths: &[String]) -> Vec<UsageEvent<'_>> {
    let end = clock().now().duration_trunc(TimeDelta::hours(1)).unwrap();
    let end = end.timestamp_micros();
    let statuses = [0, 99, 100, 200, 204, 301, 404, 499, 500, 599, 600, 999];
    let times = [
        0,
        15,
        16,
        17,
        31,
        32,
        1 << 10,
        (1 << 26) - 1,
        1 << 26,
        u32::MAX,
    ];
    let verdicts = [Verdict::Valid, Verdict::Revoked, Verdict::Expired];
    let of = |number: usize| {
        let mut event = event(number as u64, now());
        event.token_id = TokenId(Uuid::from_u128(1 + number as u128 % 9));
        event.endpoint = &paths[number % paths.len()];
        event.status = statuses[number % statuses.len()];
        event.response_time_us = times[number % times.len()];
        event.verdict = verdicts[number % 7 % 3];
        // The latest is still in the last whole hour, and later numbers are later.
        event.at_micros = end - (1200 - number as i64) * HOUR / 61;
        event
    };
    let mut events: Vec<_> = (0..1200).map(of).collect();
    // One token that invents more paths in an hour than count by their names, and one that was only
    // ever refused.
    for (number, path) in paths.iter().take(150).enumerate() {
        let mut event = event(1, now());
        event.token_id = TokenId(Uuid::from_u128(100));
        event.endpoint = path;
        event.at_micros = end - HOUR + number as i64;
        events.push(event);
        event.token_id = TokenId(Uuid::from_u128(101));
        event.verdict = Verdict::Suspended;
        event.endpoint = "(other)";
        events.push(event);
    }
    events
}

fn paths() -> Vec<String> {
    let paths = (0..200).map(|number| match number % 4 {
        0 => format!("/page-{number}/x"),
        1 => format!("/orders/{number}/{}", Uuid::from_u128(number)),
        2 => format!("/other-{number}"),
        _ => format!("/{number}-é/deadbeefdeadbeef"),
    });
    paths.collect()
}

async fn counted(pool: &PgPool, events: &[UsageEvent<'_>]) {
    let settler = settler(pool);
    for (part, some) in events.chunks(500).enumerate() {
        let group = [batch(SOURCE, part as u64 * 500 + 1, some)];
        settler.settle(&group).await.unwrap();
    }
}

#[tokio::test]
async fn whatever_differs_is_told_and_put_right() {
    let pool = TestDatabase::create().await.pool;
    let paths = paths();
    counted(&pool, &varied(&paths)).await;
    let others = "select count(*) from api_token_usage_hourly where endpoint = '(other)'";
    let others: i64 = sqlx::query_scalar(others).fetch_one(&pool).await.unwrap();
    assert!(others >= 2);
    let right = sums(&pool).await;
    assert_eq!(found(&pool).await, Report::default());

    let token = "token_id = '00000000-0000-0000-0000-000000000003'";
    let capped = "token_id = '00000000-0000-0000-0000-000000000064'";
    let one = "ctid = (select min(ctid) from api_token_usage_hourly)";
    // A day that has rows, whatever the time is.
    let day = "(select max(bucket) from api_token_usage_daily)";
    for (damage, kinds) in [
        (
            "delete from api_token_usage_hourly".to_owned(),
            vec![Sums::Hours],
        ),
        (
            format!("delete from api_token_usage_hourly where {token}"),
            vec![Sums::Hours, Sums::Days],
        ),
        (
            format!("update api_token_usage_hourly set requests = requests + 1 where {one}"),
            vec![Sums::Hours, Sums::Days, Sums::AccountHours],
        ),
        (
            format!(
                "update api_token_usage_hourly set errors = requests - errors
                 where {token} and errors <> requests - errors"
            ),
            vec![Sums::Hours, Sums::Days],
        ),
        (
            format!("update api_token_usage_hourly set latency[24] = latency[24] + 1 where {one}"),
            vec![Sums::Hours, Sums::Days],
        ),
        (
            format!("update api_token_usage_hourly set endpoint = endpoint || '/x' where {one}"),
            vec![Sums::Hours, Sums::Days],
        ),
        (
            format!("update api_token_usage_hourly set requests = requests + 7 where {capped}"),
            vec![Sums::Hours, Sums::Days],
        ),
        (
            format!(
                "insert into api_token_usage_hourly values (gen_random_uuid(), {day}, '/', 'GET', 2,
                 1, 0, array_fill(0::bigint, array[24]))"
            ),
            vec![Sums::Hours, Sums::Days],
        ),
        (
            format!("delete from api_token_usage_daily where {token}"),
            vec![Sums::Days, Sums::Totals],
        ),
        (
            format!(
                "insert into api_token_usage_daily values (gen_random_uuid(), {day}, '/', 'GET', 2,
                 1, 0, array_fill(0::bigint, array[24]))"
            ),
            vec![Sums::Days],
        ),
        (
            format!("delete from api_token_usage_totals where {token}"),
            vec![Sums::Totals],
        ),
        (
            "update api_token_usage_totals set usage_count = usage_count - 1".to_owned(),
            vec![Sums::Totals],
        ),
        (
            format!("update api_token_usage_totals set last_used_at = now() where {token}"),
            vec![Sums::Totals],
        ),
        (
            "update api_token_usage_totals set last_used_at = null".to_owned(),
            vec![Sums::Totals],
        ),
        (
            format!("delete from account_token_usage_daily where {token}"),
            vec![Sums::TokenDays],
        ),
        (
            "update account_token_usage_daily set errors = requests".to_owned(),
            vec![Sums::TokenDays],
        ),
        (
            "delete from account_usage_hourly".to_owned(),
            vec![Sums::AccountHours, Sums::AccountDays],
        ),
        (
            "update account_usage_hourly set latency[24] = latency[24] + 1
             where endpoint = '(other)'"
                .to_owned(),
            vec![Sums::AccountHours, Sums::AccountDays],
        ),
        (
            format!(
                "insert into account_usage_hourly values (gen_random_uuid(), {day}, '/', 'GET', 2,
                 0, 1, 0, array_fill(0::bigint, array[24]))"
            ),
            vec![Sums::AccountHours, Sums::AccountDays],
        ),
        (
            "update account_usage_daily set verdict = verdict + 50 where verdict <> 0".to_owned(),
            vec![Sums::AccountDays],
        ),
    ] {
        let done = pool.execute(sqlx::AssertSqlSafe(damage.clone())).await;
        assert!(done.unwrap().rows_affected() > 0, "{damage}");
        let report = found(&pool).await;
        for kind in kinds {
            let named = report.differences.iter().any(|it| it.sums == kind);
            assert!(named, "{kind:?} of {damage}: {report:?}");
        }
        assert!(
            sums(&pool).await != right,
            "{damage}: a look changes nothing"
        );
        assert!(mended(&pool).await.differing > 0, "{damage}");
        assert_eq!(found(&pool).await, Report::default(), "{damage}");
        assert_eq!(sums(&pool).await, right, "{damage}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_are_put_right_while_ingestors_count() {
    let pool = TestDatabase::create().await.pool;
    let over = AtomicBool::new(false);
    let all = events(400);
    let count = async {
        let workers = (0..2_u128).map(|worker| {
            let (pool, all) = (pool.clone(), all.clone());
            tokio::spawn(async move {
                let settler = settler(&pool);
                for round in 0..40 {
                    let source = Uuid::from_u128(worker + 1);
                    let group = [batch(source, round * 400 + 1, &all)];
                    settler.settle(&group).await.unwrap();
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
        over.store(true, Ordering::Relaxed);
    };
    let spoil = async {
        let mut spoiled = 0;
        while !over.load(Ordering::Relaxed) {
            // What is never wrong by itself is never told: rows and sums are one.
            if spoiled % 2 == 0 {
                assert_eq!(found(&pool).await, Report::default());
                let damage = pool.execute(
                    "begin;
                     lock table api_token_usage_hourly in share row exclusive mode;
                     delete from api_token_usage_hourly;
                     update api_token_usage_totals set usage_count = usage_count + 1000;
                     commit",
                );
                spoiled += usize::from(damage.await.unwrap().rows_affected() > 0);
            } else {
                spoiled += usize::from(mended(&pool).await.differing > 0);
            }
        }
        spoiled
    };
    let ((), spoiled) = tokio::join!(count, spoil);
    assert!(spoiled > 0);
    mended(&pool).await;
    assert_eq!(found(&pool).await, Report::default());
    let mut expected = Expected::default();
    for _ in 0..80 {
        all.iter().for_each(|event| expected.add(event));
    }
    assert_counted(&pool, &expected).await;
}

#[tokio::test]
async fn sums_outlive_their_rows() {
    let pool = TestDatabase::create().await.pool;
    let mut all = events(50);
    for event in &mut all {
        event.at_micros -= 48 * HOUR;
    }
    counted(&pool, &all).await;
    let right = sums(&pool).await;
    let day = clock().now().date_naive() - Days::new(2);
    pool.execute(sqlx::query("select usage_partition_drop($1)").bind(day))
        .await
        .unwrap();
    let report = mended(&pool).await;
    assert_eq!((report.differing, report.not_kept), (0, vec![day]));
    assert_eq!(sums(&pool).await, right);

    // The database itself would not make them anew from nothing, had the day gone a moment later.
    let from = day.and_time(NaiveTime::MIN).and_utc();
    let refused = sqlx::query("select usage_rollups_replace($1, $2, $1, array(select token_id from api_token_usage_totals))")
        .bind(from)
        .bind(from + TimeDelta::days(1))
        .execute(&pool)
        .await
        .unwrap_err();
    let code = refused.as_database_error().and_then(|error| error.code());
    assert_eq!(code.as_deref(), Some("TK010"));
    assert_eq!(sums(&pool).await, right);
}

#[tokio::test]
async fn an_account_that_is_erased_keeps_its_sums() {
    let pool = TestDatabase::create().await.pool;
    let all = events(50);
    counted(&pool, &all).await;
    let right = sums(&pool).await;
    let account = "insert into accounts (id, role, state, created_at, updated_at, version)
                   values ('00000000-0000-0000-0000-000000000001', 'user', 'deleted', now(), now(), 1)";
    pool.execute(account).await.unwrap();
    pool.execute(
        "insert into api_tokens (id, account_id, name, environment, token_prefix, scopes, metadata,
                                 state, created_at, updated_at, version)
         select token_id, a.id, 't', 'live', 'p', '{}', '{}', 'active', now(), now(), 1
         from api_token_usage_totals, accounts a;
         delete from api_token_usage",
    )
    .await
    .unwrap();
    assert_eq!(mended(&pool).await, Report::default());
    assert_eq!(sums(&pool).await, right);
}

#[tokio::test]
async fn an_audit_tells_what_differs_in_the_last_hour_and_reads_no_more_than_it_may() {
    let pool = TestDatabase::create().await.pool;
    let paths = paths();
    counted(&pool, &varied(&paths)).await;
    let now = clock().now();
    let audit = audit_once(&pool, now, 400, 1_000_000).await.unwrap();
    assert_eq!((audit.left_out, &audit.differences), (0, &Vec::new()));
    assert!(audit.compared >= 300, "{audit:?}");
    let of_hour = "select sum(requests)::bigint from api_token_usage_hourly where bucket = $1";
    let all: i64 = sqlx::query_scalar(of_hour)
        .bind(audit.hour)
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(audit.compared, all);

    // The two tokens with 150 requests each are too many by themselves.
    let bounded = audit_once(&pool, now, 400, 149).await.unwrap();
    assert!(
        bounded.compared <= 149 && bounded.left_out >= 300,
        "{bounded:?}"
    );
    assert_eq!(bounded.compared + bounded.left_out, all);

    let damage = "delete from api_token_usage_hourly where bucket = $1 and token_id = $2";
    let damage = sqlx::query(damage).bind(audit.hour);
    pool.execute(damage.bind(Uuid::from_u128(100)))
        .await
        .unwrap();
    let audit = audit_once(&pool, now, 400, 1_000_000).await.unwrap();
    let hours: Vec<_> = audit
        .differences
        .iter()
        .filter(|it| it.sums == Sums::Hours)
        .collect();
    assert_eq!(hours.len(), 1, "{audit:?}");
    assert_eq!((hours[0].stored, hours[0].counted), (0, 150));
    let _: DateTime<Utc> = hours[0].bucket.unwrap();
}
