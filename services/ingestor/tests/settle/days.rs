//! Times out of bounds, and the partitions that hold the days.

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
