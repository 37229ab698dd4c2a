//! A question about 30 days of the hottest token, with 50 million raw rows behind it, against the same
//! asked of the rows by SQL.

use std::time::Duration;

use sqlx::{Executor, PgPool};
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_testkit::{Stack, sum_up_accounts};
use uuid::Uuid;

use crate::Failure;
use crate::report::{Report, median, say};

const ROWS: i64 = 50_000_000;

/// How many days they are spread over.
const DAYS: i64 = 30;

/// How often each question is asked.
const ASKED: usize = 200;

/// What is asked, and of what the answers are made.
const QUESTIONS: [(&str, &str); 3] = [
    ("by day", "bucket=day"),
    ("by hour", "bucket=hour"),
    ("by day and endpoint", "bucket=day&group_by=endpoint"),
];

/// Measures the questions, and how long it takes to compare all sums with all rows.
pub(crate) async fn measure(stack: &mut Stack, report: &mut Report) -> Result<(), Failure> {
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("large").await;
    let token = operator.issue(&account, serde_json::json!({})).await;
    let token: Uuid = serde_json::from_value(token["id"].clone())?;
    let pool = stack.database.pool.clone();
    filled(&pool, token, account.parse()?).await?;
    let alone = rows_by_day(&pool, token).await?;
    for (name, parameters) in QUESTIONS {
        let path = format!(
            "/v1/tokens/{token}/usage?from={}&{parameters}",
            from(&pool).await?
        );
        let mut took = Vec::new();
        for _ in 0..ASKED {
            let since = SystemClock.boot_time();
            operator.get(&path).await.expect(200);
            took.push((SystemClock.boot_time() - since).as_secs_f64() * 1e3);
        }
        took.sort_by(f64::total_cmp);
        report.row(
            &format!("30 days of the hottest token {name}, {ROWS} raw rows behind it"),
            "≤ 30 ms",
            format!(
                "**{:.1} ms**, p99 {:.1} ms",
                median(took.clone()),
                took[ASKED * 99 / 100 - 1]
            ),
            format!("{:.0} ms by SQL from the rows", alone.as_secs_f64() * 1e3),
        );
    }
    Ok(())
}

/// The first day, as a parameter.
async fn from(pool: &PgPool) -> Result<String, sqlx::Error> {
    let first = "select to_char(min(day), 'YYYY-MM-DD\"T00:00:00Z\"') from usage_partitions";
    sqlx::query_scalar(first).fetch_one(pool).await
}

/// How long the question by day takes where there are no sums.
async fn rows_by_day(pool: &PgPool, token: Uuid) -> Result<Duration, sqlx::Error> {
    let since = SystemClock.boot_time();
    sqlx::query(
        r#"select date_bin('1 day', "timestamp", '1970-01-01Z'), count(*),
            count(*) filter (where verdict <> 0 or status >= 400)
        from api_token_usage where token_id = $1 group by 1"#,
    )
    .bind(token)
    .fetch_all(pool)
    .await?;
    Ok(SystemClock.boot_time() - since)
}

/// A day at a time, as an ingestor would have it. A fifth of all calls are of the one token.
async fn filled(pool: &PgPool, token: Uuid, account: Uuid) -> Result<(), Failure> {
    for day in 1..=DAYS {
        sqlx::query("select usage_partition_create((now() at time zone 'UTC')::date - $1::int)")
            .bind(day as i32)
            .execute(pool)
            .await?;
        sqlx::query(include_str!("questions.sql"))
            .bind(token)
            .bind(account)
            .bind(day as i32)
            .bind(ROWS / DAYS)
            .execute(pool)
            .await?;
        say(&format!("questions: day {day} of {DAYS} is there"));
    }
    // The sums are made by what makes them anew.
    let since = SystemClock.boot_time();
    pool.execute(
        "insert into api_token_usage_hourly
         select * from usage_hours_of_rows(now() - interval '40 days', now(), null);
         insert into api_token_usage_daily
         select token_id, date_bin('1 day', bucket, '1970-01-01Z'), endpoint, method, status_class,
                sum(requests), sum(errors), usage_histogram_sum(latency)
         from api_token_usage_hourly group by 1, 2, 3, 4, 5",
    )
    .await?;
    sum_up_accounts(pool).await;
    let took = SystemClock.boot_time() - since;
    say(&format!(
        "questions: all sums made in {:.0} s",
        took.as_secs_f64()
    ));
    // As autovacuum does in the end.
    pool.execute("vacuum (analyze)").await?;
    Ok(())
}
