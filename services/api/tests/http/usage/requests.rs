//! `GET /v1/tokens/{id}/usage/requests`

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::Person;

use super::support::{Call, add_requests, ask, at, long_ago, refused};
use crate::support::text;

async fn page(person: &Person, token: &Value, query: &str) -> Value {
    let path = format!("/v1/tokens/{}/usage/requests?{query}", text(token, "id"));
    ask(person, &path).await
}

/// What the items of a page say, as text.
fn items(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items").iter();
    items.map(ToString::to_string).collect()
}

#[tokio::test]
async fn pages_neither_repeat_nor_skip_a_request_while_others_arrive() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let pool = &stack.database.pool;
    // Many at one moment, many of these alike in everything, and a day between some.
    let mut calls = vec![Call::after(100); 7];
    calls.extend((0..5).map(|number| Call {
        micros: number,
        ..Call::after(100)
    }));
    calls.extend([
        Call::after(99),
        Call::after(101),
        Call::after(90_000),
        Call::after(90_000),
    ]);
    add_requests(pool, &token, &calls).await;
    let whole = items(&page(&operator, &token, "limit=200").await);
    assert_eq!(whole.len(), 16);

    for size in [1, 2, 3, 5, 16] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = page(&operator, &token, &format!("limit={size}{cursor}")).await;
            seen.extend(items(&page));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
            assert!(seen.len() <= whole.len(), "it goes on for ever");
        }
        assert_eq!(seen, whole, "in pages of {size}");
    }

    // The first page ends in the middle of those that are alike.
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    let mut arrived = 0;
    loop {
        let page = page(&operator, &token, &format!("limit=4{cursor}")).await;
        seen.extend(items(&page));
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
        // Newer than everything, and as old as what is being listed.
        if arrived < 3 {
            let alike = [Call::after(100_000 + arrived), Call::after(100)];
            add_requests(pool, &token, &alike).await;
            arrived += 1;
        }
    }
    let count = |all: &[String]| {
        let mut counts = BTreeMap::new();
        for one in all {
            *counts.entry(one.clone()).or_insert(0) += 1;
        }
        counts
    };
    let now = count(&items(&page(&operator, &token, "limit=200").await));
    let (seen, before) = (count(&seen), count(&whole));
    for (request, times) in &before {
        assert!(seen[request] >= *times, "skipped: {request}");
    }
    for (request, times) in &seen {
        assert!(now[request] >= *times, "repeated: {request}");
    }
}

#[tokio::test]
async fn a_request_is_told_as_it_was_and_found_by_what_it_was() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let other = operator.issue(&account, json!({})).await;
    let pool = &stack.database.pool;
    let refused_call = Call {
        endpoint: "/orders/7",
        method: "DELETE",
        status: 403,
        verdict: Verdict::InsufficientScope,
        ip: Some("2001:db8::7"),
        ..Call::after(60)
    };
    let hidden = Call {
        ip: None,
        ..Call::after(120)
    };
    add_requests(pool, &token, &[Call::after(0), refused_call, hidden]).await;
    add_requests(pool, &other, &[Call::after(30)]).await;

    let all = page(&operator, &token, "").await;
    let items = all["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    assert_eq!(items[0]["ip"], Value::Null);
    let expected = json!({
        "timestamp": items[1]["timestamp"],
        "timestamp_replaced": false,
        "method": "DELETE",
        "endpoint": "/orders/7",
        "status": 403,
        "verdict": "INSUFFICIENT_SCOPE",
        "response_time_us": 100,
        "ip": "2001:db8::7",
        "user_agent": "curl/8.5.0",
        "request_id": null,
        "token_version": 1,
    });
    assert_eq!(items[1], expected);
    let moment = |seconds| at(long_ago() + chrono::TimeDelta::seconds(seconds));
    for (query, found) in [
        ("verdict=INSUFFICIENT_SCOPE".to_owned(), vec![1]),
        ("verdict=VALID".to_owned(), vec![0, 2]),
        ("status=403".to_owned(), vec![1]),
        ("status=404".to_owned(), vec![]),
        ("endpoint=/orders/7".to_owned(), vec![1]),
        ("endpoint=/orders/%7Bid%7D".to_owned(), vec![]),
        ("ip=2001:db8:0::7".to_owned(), vec![1]),
        ("ip=192.0.2.7".to_owned(), vec![2]),
        (format!("from={}", moment(60)), vec![0, 1]),
        (format!("to={}", moment(60)), vec![2]),
        (
            format!("from={}&to={}&status=403", moment(60), moment(61)),
            vec![1],
        ),
    ] {
        let expected: Vec<&Value> = found.into_iter().map(|at: usize| &items[at]).collect();
        let page = page(&operator, &token, &query).await;
        let told: Vec<&Value> = page["items"].as_array().unwrap().iter().collect();
        assert_eq!(told, expected, "{query}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_of_requests_is_named() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let other = operator.issue(&account, json!({})).await;
    let calls = [Call::after(0), Call::after(1)];
    add_requests(&stack.database.pool, &token, &calls).await;
    let first = page(&operator, &token, "limit=1").await;
    let cursor = text(&first, "next_cursor");
    let path = |token: &Value| format!("/v1/tokens/{}/usage/requests", text(token, "id"));
    for (token, query, name) in [
        (&token, "limit=0", "limit"),
        (&token, "limit=201", "limit"),
        (&token, "cursor=x", "cursor"),
        (&other, &*format!("cursor={cursor}"), "cursor"),
        (&token, &format!("cursor=B{}", &cursor[1..]), "cursor"),
        (&token, "verdict=valid", "verdict"),
        (&token, "status=1000", "status"),
        (&token, "status=x", "status"),
        (&token, "ip=192.0.2.0/24", "ip"),
        (&token, "from=1969-01-01T00:00:00Z", "from"),
        (&token, "to=%2B20000-01-01T00:00:00Z", "to"),
        (
            &token,
            "from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z",
            "from",
        ),
        (&token, "format=xml", "format"),
    ] {
        let answer = operator.get(&format!("{}?{query}", path(token))).await;
        refused(&answer, "INVALID_QUERY", name);
    }
    let unknown = "/v1/tokens/01890a5d-ac96-774b-bcce-b302099a8057/usage/requests";
    operator.get(unknown).await.expect(404);
}
