//! Times out of bounds, and the partitions that hold the days.

use chrono::{DateTime, Utc};
use tollkeeper_ingestor::remove_old_rollups;

use super::*;

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
async fn days_are_made_of_the_hours_that_were_there_before() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let day = 86_400_000_000_i64;
    let mut all = events(200);
    for (number, event) in all.iter_mut().enumerate() {
        event.at_micros -= day * (number as i64 % 3);
    }
    settler.settle(&[batch(SOURCE, 1, &all)]).await.unwrap();
    let backfill =
        include_str!("../../../../migrations/20261121000651_usage_daily_backfill.up.sql");
    let before = "delete from api_token_usage_daily";
    let before = sqlx::query(before).execute(&pool).await.unwrap();
    let made = sqlx::query(backfill).execute(&pool).await.unwrap();
    assert_eq!(made.rows_affected(), before.rows_affected());
    assert_counted(&pool, &expected(&all)).await;
}

#[tokio::test]
async fn sums_of_accounts_are_made_of_those_of_tokens_that_were_there_before() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    let day = 86_400_000_000_i64;
    let mut all = events(200);
    for (number, event) in all.iter_mut().enumerate() {
        event.at_micros -= day * (number as i64 % 3);
    }
    settler.settle(&[batch(SOURCE, 1, &all)]).await.unwrap();
    let backfill =
        include_str!("../../../../migrations/20261121000808_account_usage_backfill.up.sql");
    let undone =
        include_str!("../../../../migrations/20261121000808_account_usage_backfill.down.sql");
    for statements in [undone, backfill] {
        sqlx::raw_sql(statements).execute(&pool).await.unwrap();
    }
    assert_counted(&pool, &expected(&all)).await;
    // Sums of tokens know no verdicts.
    let known = "select count(*) from account_usage_daily where verdict <> -1";
    let known: i64 = sqlx::query_scalar(known).fetch_one(&pool).await.unwrap();
    assert_eq!(known, 0);
}

#[tokio::test]
async fn rollups_go_when_they_are_older_than_they_are_kept_and_not_before() {
    let pool = TestDatabase::create().await.pool;
    let now = "2026-11-21T10:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let endpoint = "'/', 'GET', 2";
    let verdict = "'/', 'GET', 2, 0";
    let latency = ", array_fill(0::bigint, array[24])";
    for (table, key, latency, before) in [
        ("api_token_usage_hourly", endpoint, latency, "23:00"),
        ("api_token_usage_daily", endpoint, latency, "00:00"),
        (
            "account_token_usage_daily",
            "gen_random_uuid()",
            "",
            "00:00",
        ),
        ("account_usage_hourly", verdict, latency, "23:00"),
        ("account_usage_daily", verdict, latency, "00:00"),
    ] {
        for bucket in [
            format!("2026-10-11T{before}:00Z"),
            "2026-10-12T00:00:00Z".to_owned(),
        ] {
            let insert = format!(
                "insert into {table} values (gen_random_uuid(), '{bucket}', {key}, 1, 0{latency})"
            );
            sqlx::query(sqlx::AssertSqlSafe(insert))
                .execute(&pool)
                .await
                .unwrap();
        }
    }
    // More than one statement removes.
    sqlx::query(
        "insert into api_token_usage_hourly
         select gen_random_uuid(), '2026-01-01T00:00:00Z', '/', 'GET', 2, 1, 0,
                array_fill(0::bigint, array[24])
         from generate_series(1, 10001)",
    )
    .execute(&pool)
    .await
    .unwrap();
    remove_old_rollups(&pool, now, 40).await.unwrap();
    let left: Vec<DateTime<Utc>> = sqlx::query_scalar(
        "select bucket from api_token_usage_hourly union all select bucket from api_token_usage_daily
         union all select bucket from account_token_usage_daily
         union all select bucket from account_usage_hourly
         union all select bucket from account_usage_daily",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let first_kept = "2026-10-12T00:00:00Z".parse::<DateTime<Utc>>().unwrap();
    assert_eq!(left, [first_kept; 5]);
}
