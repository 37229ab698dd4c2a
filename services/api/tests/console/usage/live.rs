//! Numbers that go on by themselves, with a script and without one.

use chrono::TimeDelta;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_testkit::{Browser, wait_for};

use super::rows::{Call, add, token};
use crate::support::{Site, Visitor};

const REQUESTS: &str = ".stat .value";

async fn goes_on(site: &Site, visitor: &Visitor, browser: &Browser) {
    let (_, token) = token(site, "crm-1", "nightly").await;
    let path = format!("{}/console/usage?live=1", site.base());
    browser.client.goto(&path).await.unwrap();
    assert_eq!(browser.text(REQUESTS).await, "0", "{}", visitor.email);
    let now = SystemClock.now();
    let call = |seconds| Call::at(now - TimeDelta::seconds(seconds));
    add(&site.pool, &token, &[call(1), call(70), call(600)]).await;
    wait_for("the page to tell of them", async || {
        browser.text(REQUESTS).await == "3"
    })
    .await;
}

#[tokio::test]
async fn the_numbers_are_replaced_and_nothing_else() {
    let site = Site::start().await;
    let visitor = site.operator().await;
    let browser = visitor.browser().await;
    let path = format!("{}/console/usage?live=1", site.base());
    browser.client.goto(&path).await.unwrap();
    // A page that was loaded anew would have forgotten this.
    let mark = "document.querySelector('h1').dataset.seen = 'yes'";
    browser.client.execute(mark, Vec::new()).await.unwrap();
    let (_, token) = token(&site, "crm-1", "nightly").await;
    let now = SystemClock.now();
    add(&site.pool, &token, &[Call::at(now - TimeDelta::seconds(1))]).await;
    wait_for("the page to tell of it", async || {
        let text = "return document.querySelector('.stat .value').textContent";
        let text = browser.client.execute(text, Vec::new()).await.unwrap();
        text == "1"
    })
    .await;
    browser.see("h1[data-seen=yes]").await;
    let said = browser.log("browser").await;
    let complaints = said.iter().filter(|it| it["level"] != "DEBUG");
    assert_eq!(
        complaints.collect::<Vec<_>>(),
        Vec::<&serde_json::Value>::new()
    );
}

#[tokio::test]
async fn without_script_the_page_is_loaded_anew() {
    let site = Site::start().await;
    let visitor = site.operator().await;
    let browser = visitor.browser_without_script().await;
    goes_on(&site, &visitor, &browser).await;
}
