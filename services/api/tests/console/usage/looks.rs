//! What keeps people from using the pages: nothing; and pictures of them.

use chrono::TimeDelta;
use serde_json::json;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_domain::verdict::Verdict;

use super::rows::{Call, add, id, token};
use crate::support::{Site, axe, shot};

/// Two days of traffic as an installation may have it: more by day than by night, a little of it refused.
fn traffic() -> Vec<Call> {
    let now = SystemClock.now();
    let endpoints = [
        "/orders",
        "/orders/7",
        "/invoices/4711/lines",
        "/health",
        "/search",
    ];
    let agents = ["curl/8.5.0", "python-requests/2.32", "Go-http-client/2.0"];
    let networks = ["192.0.2.7", "198.51.100.9", "203.0.113.77"];
    let call = |n: i64| {
        let minutes = n * 2880 / 600;
        let n = n as usize;
        let (verdict, status) = match n % 29 {
            3 => (Verdict::RateLimited, 429),
            11 => (Verdict::IpNotAllowed, 403),
            17 => (Verdict::Valid, 503),
            _ => (Verdict::Valid, 200),
        };
        Call {
            endpoint: endpoints[n * n % 5],
            method: if n.is_multiple_of(4) { "POST" } else { "GET" },
            user_agent: agents[n % 7 % 3],
            ip: networks[n % 5 % 3],
            micros: 400 + 37 * (n as i64 * n as i64 % 97),
            verdict,
            status,
            ..Call::at(now - TimeDelta::minutes(minutes))
        }
    };
    let is_busy = |n: &i64| n * 2880 / 600 % 1440 < 800 || n % 3 == 0;
    (0..600).filter(is_busy).map(call).collect()
}

#[tokio::test]
async fn every_page_can_be_used_by_everybody() {
    let site = Site::start().await;
    let (account, first) = token(&site, "crm-1", "nightly export").await;
    let named = json!({ "name": "storefront, production" });
    let second = site.api.operator().issue(&account, named).await;
    add(&site.pool, &first, &traffic()).await;
    add(&site.pool, &second, &traffic()[..90]).await;
    let operator = site.operator().await.browser().await;
    let user = site.user(&account).await.browser().await;
    let of_token = format!("?token_id={}", id(&first));
    for (browser, path, name) in [
        (&operator, "/console".to_owned(), "home"),
        (&operator, "/console/usage".to_owned(), "usage"),
        (&operator, "/console/usage?range=7d".to_owned(), "usage-7d"),
        (
            &operator,
            format!("/console/usage{of_token}&range=6h"),
            "usage-token",
        ),
        (
            &operator,
            "/console/usage?range=90d".to_owned(),
            "usage-90d",
        ),
        (
            &operator,
            "/console/usage?token_id=x".to_owned(),
            "usage-refused",
        ),
        (&operator, "/console/usage?live=1".to_owned(), "usage-live"),
        (
            &operator,
            "/console/usage/requests".to_owned(),
            "requests-choice",
        ),
        (
            &operator,
            format!("/console/usage/requests{of_token}"),
            "requests",
        ),
        (&user, "/console".to_owned(), "home-user"),
        (&user, "/console/usage?method=PUT".to_owned(), "usage-empty"),
    ] {
        let url = format!("{}{path}", site.base());
        browser.client.goto(&url).await.unwrap();
        axe(browser).await;
        shot(browser, name).await;
    }
}
