//! Tokens and lists as they were.

use serde_json::{Value, json};
use tollkeeper_testkit::Stack;

use crate::history::eventful;
use crate::support::{path_of, problem, text};

#[tokio::test]
async fn the_past_is_what_the_log_says_of_every_moment() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let before = crate::support::in_seconds(0).replace('+', "%2B");
    let token = eventful(&operator, &account).await;
    let path = path_of(&token);
    let history = operator.get(&format!("{path}/events")).await.expect(200);
    let mut states = Vec::new();
    for event in history["items"].as_array().unwrap() {
        let at = text(event, "recorded_at");
        let past = operator.get(&format!("{path}?as_of={at}")).await;
        assert_eq!(past.header("etag"), None);
        let past = past.expect(200);
        // Events of one request are recorded at one moment, so the last of them is seen.
        assert!(past["version"].as_u64() >= event["stream_version"].as_u64());
        assert_eq!(
            (&past["usage_count"], &past["last_used_at"]),
            (&Value::Null, &Value::Null)
        );
        states.push(format!(
            "{} {} {}",
            text(&past, "name"),
            past["scopes"][0],
            text(&past, "state")
        ));
        let listed = operator
            .get(&format!("/v1/tokens?as_of={at}&account_id={account}"))
            .await
            .expect(200);
        assert_eq!(listed["items"], json!([past]));
    }
    let changed = "renamed \"orders:*\"";
    assert_eq!(
        states,
        [
            "a token \"orders:read\" active".to_owned(),
            format!("{changed} active"),
            format!("{changed} active"),
            format!("{changed} active"),
            format!("{changed} suspended"),
            format!("{changed} active"),
            format!("{changed} active"),
            format!("{changed} revoked"),
        ]
    );
    problem(
        &operator.get(&format!("{path}?as_of={before}")).await,
        404,
        "NOT_FOUND",
    );
    let future = crate::support::in_seconds(3600);
    let diff = format!("{path}/diff?to=99&from");
    for read in [
        &format!("{path}?as_of"),
        "/v1/tokens?as_of",
        &diff,
        &format!("{path}/diff?from=1&to"),
    ] {
        let parameter = read.rsplit(['?', '&']).next().unwrap();
        for bad in [
            future.as_str(),
            "-5000-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "%2B10000-01-01T00:00:00Z",
            "%2B262000-01-01T00:00:00Z",
        ] {
            let answer = operator.get(&format!("{read}={bad}")).await;
            let body = problem(&answer, 400, "INVALID_QUERY");
            let named = format!("`{parameter}`");
            assert!(text(&body, "detail").contains(&named), "{body}");
        }
        for bad in ["yesterday", ""] {
            let answer = operator.get(&format!("{read}={bad}")).await;
            problem(&answer, 400, "INVALID_QUERY");
        }
    }
    let first = "1970-01-01T00:00:00Z";
    let none = operator.get(&format!("/v1/tokens?as_of={first}")).await;
    assert_eq!(none.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn the_past_goes_by_the_clock_that_events_are_recorded_by() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    // As it is when the database's clock was set back: no event is recorded before the last one.
    let ahead = "update event_log_head set recorded_at = clock_timestamp() + interval '1 hour'";
    sqlx::query(ahead)
        .execute(&stack.database.pool)
        .await
        .unwrap();
    let token = operator.issue(&account, json!({})).await;
    let path = path_of(&token);
    let history = operator.get(&format!("{path}/events")).await.expect(200);
    let recorded = text(&history["items"][0], "recorded_at");
    let at = operator.get(&format!("{path}?as_of={recorded}")).await;
    assert_eq!(at.expect(200)["version"], 1);
    let diff = operator.get(&format!("{path}/diff?from={recorded}")).await;
    assert_eq!(diff.expect(200)["changes"], json!([]));
    let before = crate::support::in_seconds(60);
    let unborn = operator.get(&format!("{path}?as_of={before}")).await;
    problem(&unborn, 404, "NOT_FOUND");
    let beyond = crate::support::in_seconds(7200);
    let beyond = operator.get(&format!("{path}?as_of={beyond}")).await;
    problem(&beyond, 400, "INVALID_QUERY");
}

/// More tokens than a page of the past looks at, with ids of the day after tomorrow on.
const LATER: &str = "insert into api_tokens (
        id, account_id, name, environment, token_prefix, scopes, metadata, state, created_at,
        updated_at, version
    )
    select
        (
            lpad(to_hex((extract(epoch from now() + interval '2 days') * 1000)::bigint), 12, '0')
            || '70008000' || lpad(to_hex(n), 12, '0')
        )::uuid,
        $1, 'later', 'live', 'tk_live_', '{}', '{}', 'active', now(), now(), 1
    from generate_series(1, 2100) as n";

#[tokio::test]
async fn a_list_of_the_past_begins_at_its_moment() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let path = format!("{}/events", path_of(&token));
    let history = operator.get(&path).await.expect(200);
    let then = text(&history["items"][0], "recorded_at");
    let id: uuid::Uuid = account.parse().unwrap();
    let later = sqlx::query(LATER).bind(id).execute(&stack.database.pool);
    assert_eq!(later.await.unwrap().rows_affected(), 2100);
    let page = operator
        .get(&format!("/v1/tokens?as_of={then}"))
        .await
        .expect(200);
    assert_eq!(page["items"][0]["id"], token["id"]);
    assert_eq!(page.get("next_cursor"), None);
}

#[tokio::test]
async fn past_lists_are_filtered_by_what_was_and_come_in_pages() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let fields = json!({ "name": format!("Token {number}"), "scopes": ["a", "b"] });
        let token = operator.issue(&account, fields).await;
        ids.insert(0, text(&token, "id").to_owned());
    }
    let feed = operator
        .get("/v1/events?type=TokenIssued")
        .await
        .expect(200);
    let then = text(&feed["items"][4], "recorded_at").to_owned();
    for id in &ids {
        operator
            .delete(&format!("/v1/tokens/{id}"))
            .await
            .expect(200);
    }
    operator.issue(&account, json!({ "name": "later" })).await;

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/tokens?as_of={then}&state=active&scope=b&limit=2{cursor}");
        let page = operator.get(&path).await.expect(200);
        for token in page["items"].as_array().unwrap() {
            seen.push(text(token, "id").to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    let count = async |query: &str| {
        let page = operator
            .get(&format!("/v1/tokens?as_of={then}&{query}"))
            .await
            .expect(200);
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(count("search=TOKEN%203").await, 1);
    assert_eq!(count("state=revoked").await, 0);
    assert_eq!(count("environment=test").await, 0);
    assert_eq!(count("scope=c").await, 0);
    assert_eq!(count("prefix=tk_live_").await, 5);
    assert_eq!(count("prefix=tk_test_").await, 0);
}
