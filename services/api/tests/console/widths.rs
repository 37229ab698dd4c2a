//! What there is room for, and how what there is none for is reached.

use serde_json::{Value, json};
use tollkeeper_testkit::{Browser, wait_for};

use crate::support::{Site, as_it_was, axe, resize, seed};

/// Pages with tables.
const TABLES: [&str; 12] = [
    "/console/tokens",
    "/console/tokens?account=customer-4711&sort=name",
    "/console/tokens?expiring=90d&sort=expires_at",
    "/console/usage",
    "/console/usage/requests",
    "/console/operation",
    "/console/operation/audit",
    "/console/operation/dead-letters",
    "/console/accounts",
    "/console/people",
    "/console/you",
    "/console",
];

/// By how much what scrolls is wider than the room there is for it.
const BEYOND: &str = "
    const all = [...document.querySelectorAll('main .scroll')].filter((it) => it.checkVisibility());
    const beyond = all.map((it) => [it.querySelector('caption')?.textContent, it.scrollWidth - it.clientWidth]);
    return beyond.filter(([, pixels]) => pixels > 0);
";

async fn open(browser: &Browser, site: &Site, path: &str) {
    let url = format!("{}{path}", site.base());
    browser.client.goto(&url).await.expect("it is served");
    browser.see("h1").await;
}

async fn run(browser: &Browser, script: &str) -> Value {
    let answer = browser.client.execute(script, Vec::new()).await;
    answer.expect("a script of ours")
}

#[tokio::test]
async fn on_a_desk_tables_have_room() {
    let site = Site::start().await;
    seed(&site).await;
    let browser = site.operator().await.browser().await;
    for path in TABLES {
        open(&browser, &site, path).await;
        resize(&browser, 1280).await;
        let beyond = run(&browser, BEYOND).await;
        assert_eq!(beyond, json!([]), "{path}");
    }
}

/// The tables that keys scroll, by their names.
const BY_KEYS: &str = "
    const all = document.querySelectorAll('main .scroll[tabindex=\"0\"]');
    return [...all].map((it) => it.getAttribute('aria-label'));
";

#[tokio::test]
async fn what_scrolls_in_a_narrow_window_is_reached_by_keys_and_in_a_wide_one_is_no_stop() {
    let site = Site::start().await;
    seed(&site).await;
    let browser = site.operator().await.browser().await;
    for path in ["/console/tokens", "/console/accounts"] {
        open(&browser, &site, path).await;
        assert_eq!(run(&browser, BY_KEYS).await, json!([]), "{path}");
        resize(&browser, 390).await;
        wait_for("the table to be reached", async || {
            let found = run(&browser, BY_KEYS).await;
            found
                .as_array()
                .is_some_and(|all| all.len() == 1 && all[0].is_string())
        })
        .await;
        axe(&browser).await;
        as_it_was(&browser).await;
        wait_for("the table to be no stop", async || {
            run(&browser, BY_KEYS).await == json!([])
        })
        .await;
    }
}
