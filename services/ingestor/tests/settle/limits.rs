//! What the database refuses by itself, and the cap on templates.

use tollkeeper_ingestor::fold;

use super::*;

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
    let daily = |bucket: &str, class: i16| {
        format!(
            "insert into api_token_usage_daily values ('00000000-0000-0000-0000-000000000001',
             '{bucket}', '/', 'GET', {class}, 1, 0, array_fill(0::bigint, array[24]))"
        )
    };
    let balance = |generation: i32, used: i64| {
        format!(
            "insert into quota_balances values
             (gen_random_uuid(), {generation}, '2026-01-01', gen_random_uuid(), {used})"
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
        (daily("2026-01-01T01:00:00Z", 2), "api_token_usage_daily_bucket_is_day"),
        (daily(day, 6), "api_token_usage_daily_status_class_known"),
        (
            daily(day, 2).replace("1, 0, array", "1, 2, array"),
            "api_token_usage_daily_counts_sane",
        ),
        (
            daily(day, 2).replace("array[24]", "array[23]"),
            "api_token_usage_daily_latency_width",
        ),
        (
            "insert into api_token_usage_totals values (gen_random_uuid(), 0, null)".to_owned(),
            "api_token_usage_totals_count_positive",
        ),
        (balance(0, 1), "quota_balances_generation_positive"),
        (balance(1, 0), "quota_balances_used_positive"),
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
async fn the_database_folds_paths_as_the_ingestor_does() {
    let pool = TestDatabase::create().await.pool;
    let segments = [
        "",
        "a",
        "v1",
        "7",
        "007",
        "7a",
        "ä7",
        "{id}",
        "7\n",
        "deadbeef5",
        "deadbeefdeadbeef",
        "deadbeefdeadbee5",
        "DEADBEEFDEADBEE5",
        "deadbeefdeadbee5g",
        "0190b3c2-7e4f-7000-8000-0123456789ab",
        "0190B3C2-7E4F-7000-8000-0123456789AB",
        "0190b3c2-7e4f-7000-8000-0123456789abc",
        "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa",
        "0190b3c27e4f70008000-0123456789ab----",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "01arz3ndektsv4rrffq69g5fav",
        "81ARZ3NDEKTSV4RRFFQ69G5FAV",
        "01ARZ3NDEKTSV4RRFFQ69G5FAI",
        "01ARZ3NDEKTSV4RRFFQ69G5FAVX",
        "٣",
    ];
    let mut paths: Vec<String> = segments.iter().map(ToString::to_string).collect();
    for first in segments {
        for second in segments {
            paths.push(format!("/{first}/{second}"));
            paths.push(format!("{first}/{second}/"));
        }
    }
    let folded: Vec<String> = sqlx::query_scalar(
        "select usage_endpoint_template(path)
         from unnest($1::text[]) with ordinality as paths (path, place) order by place",
    )
    .bind(&paths)
    .fetch_all(&pool)
    .await
    .unwrap();
    let expected: Vec<_> = paths.iter().map(|path| fold(path).into_owned()).collect();
    assert_eq!(folded, expected);
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
