//! The page that describes the API, in a browser as people have it.

use fantoccini::Locator;
use serde_json::Value;
use tollkeeper_testkit::stack::OPERATOR_KEY;
use tollkeeper_testkit::{Browser, Stack};

#[tokio::test]
async fn the_page_shows_the_operations_and_tries_one() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let base = format!("http://{}/", api.public);
    let document = api.nobody().get("/openapi.json").await.expect(200);
    let paths = document["paths"].as_object().unwrap().values();
    let described: usize = paths.map(|path| path.as_object().unwrap().len()).sum();

    let browser = Browser::start().await;
    browser.client.goto(&format!("{base}docs")).await.unwrap();
    browser.see("[id$=-whoAmI]").await;
    let operations = browser.client.find_all(Locator::Css(".opblock")).await;
    assert_eq!(operations.unwrap().len(), described);

    browser.click(".scheme-container button.authorize").await;
    let key = browser.see("#api_key_value").await;
    key.send_keys(OPERATOR_KEY).await.unwrap();
    browser
        .click("form:has(#api_key_value) button.authorize")
        .await;
    browser.click(".dialog-ux button.close-modal").await;

    browser
        .click("[id$=-whoAmI] .opblock-summary-control")
        .await;
    browser.click("[id$=-whoAmI] button.execute").await;
    let answer = ".live-responses-table .response-col_description code";
    let answer = browser.see(answer).await.text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["operator"], "test");

    // What it asked for, and what it complained of.
    let asked = browser.requests().await;
    assert!(asked.contains(&format!("{base}openapi.json")), "{asked:?}");
    assert!(asked.contains(&format!("{base}v1/whoami")), "{asked:?}");
    for url in asked {
        let own = url.starts_with(&base) || url.starts_with("data:");
        assert!(own, "the page asked for {url}");
    }
    let said = browser.log("browser").await;
    let complaints = said.iter().filter(|it| it["level"] != "DEBUG");
    assert_eq!(complaints.collect::<Vec<_>>(), Vec::<&Value>::new());
}
