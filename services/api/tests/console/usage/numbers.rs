//! The numbers of the pages are those of the API.

use chrono::TimeDelta;
use serde_json::Value;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_domain::verdict::Verdict;

use super::rows::{Call, THAT_DAY, THAT_DAY_OF_THE_API, add, id, stat, table, token};
use crate::support::Site;

/// What is told of each group by the API.
async fn groups(site: &Site, group_by: &str) -> Vec<(String, String)> {
    let path = format!("/v1/usage?{THAT_DAY_OF_THE_API}&group_by={group_by}");
    let series = site.api.operator().get(&path).await.expect(200);
    let told = |group: &Value| {
        let key = group["key"].as_str().unwrap().to_owned();
        (key, group["total"]["requests"].to_string())
    };
    series["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(told)
        .collect()
}

fn calls() -> Vec<Call> {
    let refused = Call {
        verdict: Verdict::RateLimited,
        status: 429,
        ip: "198.51.100.9",
        ..Call::after(30)
    };
    let failed = Call {
        status: 503,
        method: "POST",
        endpoint: "/orders/7",
        user_agent: "python-requests/2.32",
        micros: 90_000,
        ..Call::after(61)
    };
    vec![
        Call::after(0),
        Call::after(1),
        Call::after(200),
        refused,
        failed,
    ]
}

#[tokio::test]
async fn the_page_tells_what_the_api_tells() {
    let site = Site::start().await;
    let (_, first) = token(&site, "crm-1", "nightly export").await;
    let (_, second) = token(&site, "crm-2", "other").await;
    add(&site.pool, &first, &calls()).await;
    add(&site.pool, &second, &[Call::after(5)]).await;
    let client = site.operator().await.client();
    let (status, _, page) = client.get(&format!("/console/usage?{THAT_DAY}")).await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(stat(&page, "Requests"), "6");
    assert_eq!(stat(&page, "Refused or failed"), "33%");

    assert_eq!(
        table(&page, "Requests by endpoint"),
        groups(&site, "endpoint").await
    );
    assert_eq!(
        table(&page, "Requests by network"),
        groups(&site, "ip_network").await
    );
    assert_eq!(
        table(&page, "Requests by program"),
        groups(&site, "user_agent_family").await
    );
    let told = |name: &str, number: &str| (name.to_owned(), number.to_owned());
    assert_eq!(
        table(&page, "Requests by verdict"),
        [told("Allowed", "5"), told("Too many requests", "1")]
    );
    assert_eq!(
        table(&page, "Requests by token"),
        [told("nightly export", "5"), told("other", "1")]
    );
    assert!(page.contains(&format!("/console/tokens/{}", id(&first))));
    // The chart has the same as a table: an hour with three classes of status, and the next.
    let chart = table(&page, "Requests by status, times by UTC");
    assert_eq!(chart.len(), 24);
    assert_eq!(chart[0], told("18 Nov 2026, 00:00", "3"));
    assert_eq!(chart[1], told("18 Nov 2026, 01:00", "0"));
}

#[tokio::test]
async fn each_range_tells_of_its_time() {
    let site = Site::start().await;
    let (_, token) = token(&site, "crm-1", "nightly").await;
    let now = SystemClock.now();
    let minutes = [
        1,
        30,
        3 * 60,
        20 * 60,
        3 * 24 * 60,
        20 * 24 * 60,
        60 * 24 * 60,
    ];
    let calls = minutes.map(|minutes| Call::at(now - TimeDelta::minutes(minutes)));
    add(&site.pool, &token, &calls).await;
    let client = site.operator().await.client();
    for (query, requests) in [
        ("live=1", "1"),
        ("range=1h", "2"),
        ("range=6h", "3"),
        ("range=24h", "4"),
        ("", "4"),
        ("range=7d", "5"),
        ("range=30d", "6"),
        ("range=90d", "7"),
    ] {
        let (status, _, page) = client.get(&format!("/console/usage?{query}")).await;
        assert_eq!(
            (status, stat(&page, "Requests").as_str()),
            (200, requests),
            "{query}"
        );
        let verdicts = table(&page, "Requests by verdict");
        assert_eq!(
            verdicts,
            [("Allowed".to_owned(), requests.to_owned())],
            "{query}"
        );
        // Single requests of many tokens are read for a week.
        let is_told = page.contains("<caption>Requests by network</caption>");
        assert_eq!(is_told, !query.ends_with("0d"), "{query}");
    }
    // Where they are many, they are counted for whoever wants it.
    sqlx::query("update account_usage_hourly set requests = 50000")
        .execute(&site.pool)
        .await
        .unwrap();
    let (_, _, page) = client.get("/console/usage?range=7d").await;
    assert!(page.contains("Count them"), "{page}");
    assert!(!page.contains("<caption>Requests by network</caption>"));
    let (_, _, page) = client.get("/console/usage?range=7d&singly=1").await;
    assert_eq!(table(&page, "Requests by network")[0].1, "5");
    // Of one token, verdicts are read for a month.
    let path = format!("/console/usage?range=30d&token_id={}", id(&token));
    let (_, _, page) = client.get(&path).await;
    assert!(
        page.contains("<caption>Requests by verdict</caption>"),
        "{page}"
    );
}

#[tokio::test]
async fn filters_are_in_the_url() {
    let site = Site::start().await;
    let (account, first) = token(&site, "crm-1", "first").await;
    let (_, second) = token(&site, "crm-2", "second").await;
    add(&site.pool, &first, &calls()).await;
    add(&site.pool, &second, &[Call::after(5)]).await;
    let client = site.operator().await.client();
    let of_token = format!("token_id={}", id(&second));
    let of_account = format!("account_id={account}");
    for (filter, requests) in [
        ("endpoint=%2Forders", "5"),
        ("endpoint=%2Forders%2F%7Bid%7D", "1"),
        ("method=POST", "1"),
        ("status_class=4xx", "1"),
        ("status_class=2xx&method=GET", "4"),
        (&of_token, "1"),
        (&of_account, "5"),
    ] {
        let (_, _, page) = client
            .get(&format!("/console/usage?{THAT_DAY}&{filter}"))
            .await;
        assert_eq!(stat(&page, "Requests"), requests, "{filter}");
        assert!(
            page.contains("aria-label=\"Filters that are set\""),
            "{filter}"
        );
    }
    for (wrong, complaint) in [
        ("token_id=x", "This is not an id."),
        (
            "token_id=019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f",
            "There is no such token.",
        ),
        ("from=soon", "This is not a time."),
        (
            "from=2026-11-18T00:00&to=2026-11-17T00:00",
            "before the end",
        ),
    ] {
        let (status, _, page) = client.get(&format!("/console/usage?{wrong}")).await;
        assert_eq!(status, 400, "{wrong}");
        assert!(
            page.contains(complaint) && page.contains("aria-invalid"),
            "{wrong}: {page}"
        );
    }
}

#[tokio::test]
async fn single_requests_are_listed_page_by_page() {
    let site = Site::start().await;
    let (_, token) = token(&site, "crm-1", "nightly").await;
    let calls: Vec<Call> = (0..60).map(Call::after).chain(calls()).collect();
    add(&site.pool, &token, &calls).await;
    let client = site.operator().await.client();
    let list = format!("/console/usage/requests?token_id={}", id(&token));
    let (status, _, page) = client.get(&list).await;
    assert_eq!(status, 200);
    assert_eq!(page.matches("data-state=\"ok\"").count(), 49, "{page}");
    let (_, rest) = page.split_once("rel=\"next\" href=\"").expect("more");
    let older = rest.split('"').next().unwrap().replace("&#38;", "&");
    let (_, _, page) = client.get(&older).await;
    assert_eq!(page.matches("<tr>\n<td>").count(), 15, "{page}");
    assert!(page.contains("To the newest"));

    for (filter, count) in [
        ("verdict=RATE_LIMITED", 1),
        ("status=503", 1),
        ("endpoint=%2Forders%2F7", 1),
        ("ip=198.51.100.9", 1),
        ("request_id=other", 0),
        ("from=2026-11-18T01:00&to=2026-11-18T01:02", 1),
    ] {
        let (status, _, page) = client.get(&format!("{list}&{filter}")).await;
        assert_eq!(status, 200, "{filter}");
        assert_eq!(
            page.matches("<tr>\n<td>").count(),
            count,
            "{filter}: {page}"
        );
    }
    for (wrong, expected) in [
        (format!("{list}&ip=nowhere"), 400),
        (format!("{list}&from=soon"), 400),
        ("/console/usage/requests?token_id=x".to_owned(), 400),
        (
            "/console/usage/requests?token_id=019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f".to_owned(),
            404,
        ),
    ] {
        let (status, _, page) = client.get(&wrong).await;
        assert_eq!(status, expected, "{wrong}");
        assert!(
            page.contains("role=\"alert\"") && page.contains("<form"),
            "{wrong}: {page}"
        );
    }
    // Without a token there are some to choose from.
    let (status, _, page) = client.get("/console/usage/requests").await;
    assert_eq!(status, 200);
    assert!(page.contains("Whose requests?"));
}
