//! Calls that were reported to the API: counted once, whoever counts and whatever is cut off.

use chrono::TimeDelta;
use tollkeeper_ingestor::remove_old_report_ids;

use super::common::report;
use super::*;

async fn waiting(pool: &PgPool) -> i64 {
    let count = sqlx::query_scalar("select count(*) from usage_reports");
    count.fetch_one(pool).await.unwrap()
}

/// Counts until nothing is left that nobody else is about to count.
async fn count_all(settler: &Settler) {
    while settler.count_reports().await.unwrap() > 0 {}
}

#[tokio::test]
async fn several_at_once_count_each_report_once() {
    let pool = TestDatabase::create().await.pool;
    let mut all = events(12_000);
    // Of a day that nobody has made a partition for.
    all[7].at_micros -= TimeDelta::days(40).num_microseconds().unwrap();
    report(&pool, &all).await;
    let settlers = [settler(&pool), settler(&pool), settler(&pool)];
    futures::future::join_all(settlers.iter().map(count_all)).await;
    assert_eq!(waiting(&pool).await, 0);
    assert_counted(&pool, &expected(&all)).await;
    assert_eq!(ledger(&pool).await, [], "they are no source");
    let replaced = "select count(*) from api_token_usage where timestamp_replaced";
    let replaced: i64 = sqlx::query_scalar(replaced).fetch_one(&pool).await.unwrap();
    assert_eq!(replaced, 0);
}

#[tokio::test]
async fn what_is_cut_off_is_counted_the_next_time() {
    let pool = TestDatabase::create().await.pool;
    let all = events(500);
    report(&pool, &all).await;
    let mut held = pool.begin().await.unwrap();
    sqlx::query("lock table api_token_usage_totals in exclusive mode")
        .execute(&mut *held)
        .await
        .unwrap();
    let first = settler(&pool);
    let counting = tokio::spawn(async move { first.count_reports().await });
    let blocked = "select count(*) from pg_locks where not granted
        and relation = 'api_token_usage_totals'::regclass";
    wait_for("the totals to be waited for", || async {
        let waiting: i64 = sqlx::query_scalar(blocked).fetch_one(&pool).await.unwrap();
        waiting == 1
    })
    .await;
    // Another one finds nothing that it could count twice.
    let second = settler(&pool);
    assert_eq!(second.count_reports().await.unwrap(), 0);
    counting.abort();
    assert!(counting.await.unwrap_err().is_cancelled());
    held.rollback().await.unwrap();

    // The connection of the one that was cut off takes its time to be rolled back.
    wait_for("the reports to be counted", || async {
        count_all(&second).await;
        waiting(&pool).await == 0
    })
    .await;
    assert_counted(&pool, &expected(&all)).await;
}

#[tokio::test]
async fn a_report_that_cannot_be_counted_is_kept_until_its_reason_is_mended() {
    let pool = TestDatabase::create().await.pool;
    let settler = settler(&pool);
    sqlx::query("alter table api_token_usage add constraint broken check (status <> 418)")
        .execute(&pool)
        .await
        .unwrap();
    let mut all = events(20);
    all[7].status = 418;
    report(&pool, &all).await;
    sqlx::query(
        "insert into usage_reports (account_id, received_at, record)
        values (gen_random_uuid(), now(), 'junk')",
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(settler.count_reports().await.unwrap(), 21);
    let mut counted = all.clone();
    counted.remove(7);
    assert_counted(&pool, &expected(&counted)).await;
    let nowhere = |reason: &str| (None, None, reason.to_owned(), "record".to_owned());
    let kept = [nowhere("undecodable"), nowhere("refused")];
    assert_eq!(letters(&pool).await, kept);

    sqlx::query("alter table api_token_usage drop constraint broken")
        .execute(&pool)
        .await
        .unwrap();
    sqlx::query("update usage_dead_letters set replay_asked_at = now()")
        .execute(&pool)
        .await
        .unwrap();
    while settler.replay_next().await.unwrap() {}
    assert_counted(&pool, &expected(&all)).await;
    assert_eq!(letters(&pool).await, [nowhere("undecodable")]);
    let failure = "select replay_failure from usage_dead_letters";
    let failure: Option<String> = sqlx::query_scalar(failure).fetch_one(&pool).await.unwrap();
    assert!(failure.is_some(), "it says why");
}

#[tokio::test]
async fn ids_are_known_for_fourteen_days() {
    let pool = TestDatabase::create().await.pool;
    let now = clock().now();
    let known = |days: i64, count: i32| {
        sqlx::query(
            "insert into usage_report_ids
            select gen_random_uuid(), 'call-' || number, $1 from generate_series(1, $2) as number",
        )
        .bind(now - TimeDelta::days(days))
        .bind(count)
    };
    known(13, 3).execute(&pool).await.unwrap();
    // More than one statement removes.
    known(15, 10_001).execute(&pool).await.unwrap();
    remove_old_report_ids(&pool, now).await.unwrap();
    let left = "select count(*) from usage_report_ids";
    let left: i64 = sqlx::query_scalar(left).fetch_one(&pool).await.unwrap();
    assert_eq!(left, 3);
}
