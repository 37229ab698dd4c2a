//! The page that describes the API, in a browser as people have it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::http::Method;
use fantoccini::elements::Element;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::OPERATOR_KEY;
use url::{ParseError, Url};

/// The limit of every wait, generous for a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(60);

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

/// A Chromium under the control of its driver. It finds no host but this one.
struct Browser {
    driver: Child,
    client: Client,
    _home: TempDir,
}

impl Browser {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium-driver is installed: `cargo xtask test` does it");
        let said = BufReader::new(driver.stdout.take().unwrap());
        let port = tokio::task::spawn_blocking(move || {
            let lines = said.lines().map_while(Result::ok);
            let mut ports = lines.filter_map(|line| {
                let port = line.strip_suffix('.')?.rsplit_once(" on port ")?.1;
                port.parse::<u16>().ok()
            });
            ports.next().expect("the driver names its port")
        });
        let driver_url = format!("http://127.0.0.1:{}", port.await.unwrap());
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities())
            .connect(&driver_url)
            .await
            .expect("the browser starts");
        Self {
            driver,
            client,
            _home: home,
        }
    }

    /// Waits until there is such an element, and for what it may be to be there with it.
    async fn see(&self, css: &str) -> Element {
        let wait = self.client.wait().at_most(PATIENCE);
        let found = wait.for_element(Locator::Css(css)).await;
        found.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    async fn click(&self, css: &str) {
        let element = self.see(css).await;
        let clicked = element.click().await;
        clicked.unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// Every address that a page has asked for.
    async fn requests(&self) -> Vec<String> {
        let entries = self.log("performance").await.into_iter();
        let sent = entries.filter_map(|entry| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &event["message"];
            let sent = message["method"] == "Network.requestWillBeSent";
            let url = message["params"]["request"]["url"].as_str()?;
            sent.then(|| url.to_owned())
        });
        sent.collect()
    }

    async fn log(&self, kind: &'static str) -> Vec<Value> {
        let entries = self.client.issue_cmd(ReadLog(kind)).await.unwrap();
        entries.as_array().unwrap().clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its driver.
        let _ended = self.driver.kill();
        let _reaped = self.driver.wait();
    }
}

fn capabilities() -> Capabilities {
    let arguments = [
        "--headless=new",
        // The tests may be root's, and in a container.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--no-proxy-server",
        // So that it ends with its driver, however that ends.
        "--remote-debugging-pipe",
        "--window-size=1280,2000",
    ];
    let capabilities = json!({
        "goog:chromeOptions": { "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
    });
    capabilities.as_object().unwrap().clone()
}

/// Reads a log, as Chromium's driver offers it beside the standard.
#[derive(Debug)]
struct ReadLog(&'static str);

impl WebDriverCompatibleCommand for ReadLog {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "type": self.0 }).to_string()))
    }
}
