//! Questions that cannot be asked, or would take too much.

use serde_json::json;
use tollkeeper_testkit::Stack;

use super::support::{Call, add, hours, refused, usage_of};
use crate::support::{path_of, problem, text};

#[tokio::test]
async fn what_cannot_be_asked_of_usage_is_named() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    for path in [usage_of(&token, ""), "/v1/usage?".to_owned()] {
        for (query, name) in [
            ("from=yesterday", "from"),
            ("from=2026-01-02T00:00:00Z&to=2026-01-02T00:00:00Z", "from"),
            ("from=9999-01-01T00:00:00Z", "from"),
            ("from=1969-12-31T23:59:59Z", "from"),
            ("to=1969-12-31T23:59:59Z", "to"),
            ("to=%2B20000-01-01T00:00:00Z", "to"),
            ("bucket=week", "bucket"),
            ("group_by=colour", "group_by"),
            ("group_by=method&group_by=token", "group_by"),
            ("limit=0", "limit"),
            ("limit=51", "limit"),
            ("status_class=2", "status_class"),
            ("verdict=GONE", "verdict"),
            ("format=xml", "format"),
        ] {
            let answer = operator.get(&format!("{path}{query}")).await;
            refused(&answer, "INVALID_QUERY", name);
        }
    }
    for (query, name) in [
        ("order=name", "order"),
        ("limit=51", "limit"),
        ("bucket=day", "bucket"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
    ] {
        let answer = operator.get(&format!("/v1/usage/tokens?{query}")).await;
        refused(&answer, "INVALID_QUERY", name);
    }
}

#[tokio::test]
async fn what_is_too_much_is_refused_with_what_would_do() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let (one, all) = (usage_of(&token, ""), "/v1/usage?".to_owned());
    let many = format!("{}&", hours(-40 * 24, 24));
    for (path, query, word) in [
        (&one, "bucket=minute&from=2026-01-01T00:00:00Z", "1000"),
        (&one, "bucket=hour&from=2026-01-01T00:00:00Z", "day"),
        (&one, "bucket=day&from=2020-01-01T00:00:00Z", "shorter"),
        (
            &one,
            &format!("{many}bucket=hour&group_by=method&limit=50"),
            "limit",
        ),
        (&one, &format!("{many}group_by=verdict"), "31"),
        (&one, &format!("{many}verdict=VALID"), "31"),
        (&all, &format!("{many}group_by=ip_network"), "7"),
        (&all, &format!("{many}group_by=user_agent_family"), "7"),
    ] {
        let answer = operator.get(&format!("{path}{query}")).await;
        refused(&answer, "RANGE_TOO_LARGE", word);
    }
    // What the rollups hold is told for as long as they are kept.
    let year = format!("{all}{}&group_by=endpoint", hours(-365 * 24, 24));
    let year = operator.get(&year).await;
    year.expect(200);
    let long = operator
        .get("/v1/usage/tokens?from=1970-01-01T00:00:00Z")
        .await;
    refused(&long, "RANGE_TOO_LARGE", "1000");
}

#[tokio::test]
async fn what_takes_too_long_is_given_up_and_holds_up_nothing_else() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let pool = &stack.database.pool;
    add(pool, &token, &[Call::after(0)]).await;
    let slow = "create or replace function usage_agent_family(agent text) returns text
        language sql volatile as $$ select agent || pg_sleep(600)::text $$";
    sqlx::query(slow).execute(pool).await.unwrap();

    // As many as there are connections for it, and more.
    let query = format!("{}&group_by=user_agent_family", hours(0, 1));
    let asked = (0..6).map(async |_| operator.get(&usage_of(&token, &query)).await);
    let asked = futures::future::join_all(asked);
    let path = path_of(&token);
    let (answers, read) = tokio::join!(asked, operator.get(&path));
    read.expect(200);
    let (given_up, turned_away): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 400);
    assert!(!given_up.is_empty(), "{answers:?}");
    for answer in given_up {
        refused(answer, "RANGE_TOO_LARGE", "seconds");
    }
    for answer in turned_away {
        problem(answer, 503, "UNAVAILABLE");
    }
}

#[tokio::test]
async fn a_table_that_somebody_holds_is_unavailable() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let mut held = stack.database.pool.begin().await.unwrap();
    sqlx::query("lock table api_token_usage_hourly in access exclusive mode")
        .execute(&mut *held)
        .await
        .unwrap();
    let answer = operator.get(&usage_of(&token, "bucket=hour")).await;
    problem(&answer, 503, "UNAVAILABLE");
    held.rollback().await.unwrap();
    let told = operator
        .get(&usage_of(&token, "bucket=hour"))
        .await
        .expect(200);
    assert_eq!(text(&told, "bucket"), "hour");
}
