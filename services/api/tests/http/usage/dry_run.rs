//! `POST /v1/tokens/{id}/dry-run`

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::Stack;

use super::support::{Call, add_requests, ask, at, refused};
use crate::support::{bad_fields, now, path_of, text};

fn trial_of(token: &Value) -> String {
    format!("{}/dry-run", path_of(token))
}

/// What would have been refused, by the code of the check.
fn verdicts(report: &Value) -> Vec<(&str, u64)> {
    let verdicts = report["verdicts"].as_array().unwrap().iter();
    let short = |it| (text(it, "verdict"), it["requests"].as_u64().unwrap());
    verdicts.map(short).collect()
}

/// One request of an hour ago and so many seconds later.
fn call(start: DateTime<Utc>, seconds: i64) -> Call {
    Call {
        at: start + TimeDelta::seconds(seconds),
        ..Call::after(0)
    }
}

#[tokio::test]
async fn what_a_change_would_have_refused_is_told_and_nothing_is_changed() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let other = operator.issue(&account, json!({})).await;
    let start = now() - TimeDelta::hours(1);
    let elsewhere = |seconds| Call {
        ip: Some("198.51.100.9"),
        endpoint: "/orders/7",
        ..call(start, seconds)
    };
    let calls = [
        call(start - TimeDelta::days(10), 0),
        call(start, 0),
        call(start, 1),
        elsewhere(2),
        elsewhere(3),
        Call {
            verdict: Verdict::IpNotAllowed,
            status: 403,
            ..elsewhere(4)
        },
        Call {
            ip: None,
            ..call(start, 5)
        },
    ];
    let pool = &stack.database.pool;
    add_requests(pool, &token, &calls).await;
    add_requests(pool, &other, &[elsewhere(0)]).await;
    let before = ask(&operator, "/v1/events").await;
    let path = trial_of(&token);
    let asked = async |body: Value| operator.post(&path, body).await.expect(200);

    let report = asked(json!({ "allowed_cidrs": ["192.0.2.0/24"] })).await;
    assert_eq!(
        (&report["judged"], &report["refused"], &report["cut"]),
        (&json!(5), &json!(2), &json!(false)),
        "{report}"
    );
    assert_eq!(report["without_address"], 1);
    assert_eq!(verdicts(&report), [("IP_NOT_ALLOWED", 2)]);
    let example = json!({
        "timestamp": at(start + TimeDelta::seconds(3)),
        "method": "GET",
        "endpoint": "/orders/7",
        "status": 200,
        "ip": "198.51.100.9",
        "user_agent": "curl/8.5.0",
    });
    let examples = report["verdicts"][0]["examples"].as_array().unwrap();
    assert_eq!((&examples[0], examples.len()), (&example, 2));

    let limit = json!({ "name": "hour", "limit": 60, "window_seconds": 3600, "burst": 2 });
    let report = asked(json!({ "rate_limits": [limit] })).await;
    assert_eq!(verdicts(&report), [("RATE_LIMITED", 3)]);
    let report = asked(json!({
        "days": 30,
        "not_before": at(start + TimeDelta::seconds(1)),
        "expires_at": at(start + TimeDelta::seconds(5)),
        "allowed_cidrs": ["192.0.2.0/24"],
    }));
    let report = report.await;
    assert_eq!(report["judged"], 6);
    let expected = [("NOT_YET_VALID", 2), ("EXPIRED", 1), ("IP_NOT_ALLOWED", 2)];
    assert_eq!(verdicts(&report), expected);
    for harmless in [
        json!({ "allowed_cidrs": [], "rate_limits": [] }),
        json!({ "expires_at": null }),
        json!({ "expires_at": at(now() + TimeDelta::days(1)) }),
    ] {
        let report = asked(harmless.clone()).await;
        assert_eq!(report["refused"], 0, "{harmless}");
        assert_eq!(report["verdicts"], json!([]));
    }

    assert_eq!(ask(&operator, "/v1/events").await, before);
    let after = ask(&operator, &path_of(&token)).await;
    assert_eq!(after["version"], 1);
    assert_eq!(after["allowed_cidrs"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_tried_is_named() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let path = trial_of(&token);
    let limit = |name: &str| json!({ "name": name, "limit": 0, "window_seconds": 60 });
    for (body, pointers) in [
        (json!({}), vec![""]),
        (json!({ "days": 7, "allowed_cidrs": null }), vec![""]),
        (json!({ "days": 0, "expires_at": null }), vec!["/days"]),
        (json!({ "days": 31, "allowed_cidrs": [] }), vec!["/days"]),
        (json!({ "scopes": ["orders:read"] }), vec!["/scopes"]),
        (json!({ "scopes": null }), vec!["/scopes"]),
        (
            json!({ "allowed_cidrs": ["192.0.2.0/24", "192.0.2.1/24"] }),
            vec!["/allowed_cidrs/1"],
        ),
        (
            json!({ "allowed_cidrs": vec!["::1"; 65] }),
            vec!["/allowed_cidrs"],
        ),
        (
            json!({ "rate_limits": [limit("a")] }),
            vec!["/rate_limits/0/limit"],
        ),
        (
            json!({ "not_before": "1969-12-31T23:59:59Z" }),
            vec!["/not_before"],
        ),
        (
            json!({ "expires_at": "+20000-01-01T00:00:00Z" }),
            vec!["/expires_at"],
        ),
        (
            json!({
                "not_before": "2026-01-01T00:00:00Z",
                "expires_at": "2026-01-01T00:00:00Z",
            }),
            vec!["/not_before"],
        ),
        (json!({ "name": "another" }), vec!["/name"]),
    ] {
        let answer = operator.post(&path, body).await;
        bad_fields(&answer, &pointers);
    }
    let foreign = operator.account("crm-2").await;
    let scopes = json!({ "scopes": ["tollkeeper:usage.read"] });
    let stranger = operator.issue(&foreign, scopes).await;
    let stranger = api.bearer(text(&stranger, "token"));
    let narrow = json!({ "allowed_cidrs": ["192.0.2.0/24"] });
    stranger.post(&path, narrow).await.expect(404);
}

#[tokio::test]
async fn more_requests_than_are_judged_are_cut_to_the_newest() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let start = now() - TimeDelta::days(2);
    let pool = &stack.database.pool;
    add_requests(pool, &token, &[call(start, 0)]).await;
    let many = r#"insert into api_token_usage
        select token_id, account_id, "timestamp" + number * interval '1 millisecond',
            token_version, response_time_us, status, verdict, timestamp_replaced, method, endpoint,
            user_agent, ip
        from api_token_usage, generate_series(1, 100000) as number"#;
    // Half of a day may be on the next one.
    let next = "select usage_partition_create($1::date)";
    for seconds in [0, 200] {
        let day = (start + TimeDelta::seconds(seconds)).date_naive();
        sqlx::query(next).bind(day).execute(pool).await.unwrap();
    }
    sqlx::query(many).execute(pool).await.unwrap();
    let path = trial_of(&token);
    let ended = at(start + TimeDelta::milliseconds(1));
    let body = json!({ "expires_at": ended });
    // A machine with much to do may take too long, and more than once.
    let report = loop {
        let answer = operator.post(&path, body.clone()).await;
        if ![400, 503].contains(&answer.status) {
            break answer.expect(200);
        }
    };
    assert_eq!(
        (&report["judged"], &report["cut"]),
        (&json!(100_000), &json!(true)),
        "{report}"
    );
    assert_eq!(verdicts(&report), [("EXPIRED", 100_000)]);
    assert_eq!(
        report["verdicts"][0]["examples"].as_array().unwrap().len(),
        20
    );
}

#[tokio::test]
async fn what_is_not_read_in_time_is_given_up() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let pool = &stack.database.pool;
    add_requests(pool, &token, &[call(now(), -60)]).await;
    for statement in [
        "alter table api_token_usage rename to usage_rows",
        "create view api_token_usage as
            select * from usage_rows where pg_sleep(600) is not null",
        "grant select on api_token_usage to tollkeeper_api",
    ] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
    let body = json!({ "allowed_cidrs": ["192.0.2.0/24"] });
    let answer = operator.post(&trial_of(&token), body).await;
    refused(&answer, "RANGE_TOO_LARGE", "days");
}
