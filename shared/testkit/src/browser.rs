//! A real browser, for tests of pages.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::http::Method;
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

use crate::wait::wait_for;

/// How often it is looked for what is not there yet.
const GLANCE: Duration = Duration::from_millis(50);

/// The limit of every wait, generous for a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often in a row a page may replace an element before that is no accident.
const REPLACEMENTS: usize = 20;

/// A Chromium under the control of its driver. It finds no host but this one.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    /// What is told to do things.
    pub client: Client,
    _home: TempDir,
}

impl Browser {
    /// A new one, with nothing kept from others.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same without script, as some people have it.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn without_script() -> Self {
        Self::with(&["--blink-settings=scriptEnabled=false"]).await
    }

    async fn with(more: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("the folder of temporary files can be written");
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium-driver is installed: `cargo xtask test` does it");
        let said = BufReader::new(driver.stdout.take().expect("its output was asked for"));
        let port = tokio::task::spawn_blocking(move || {
            let lines = said.lines().map_while(Result::ok);
            let mut ports = lines.filter_map(|line| {
                let port = line.strip_suffix('.')?.rsplit_once(" on port ")?.1;
                port.parse::<u16>().ok()
            });
            ports.next().expect("the driver names its port")
        });
        let driver_url = format!(
            "http://127.0.0.1:{}",
            port.await.expect("the driver names its port")
        );
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(more))
            .connect(&driver_url)
            .await
            .expect("the browser starts");
        Self {
            driver,
            client,
            _home: home,
        }
    }

    /// Waits until there is such an element, and gives it.
    ///
    /// # Panics
    /// When there is none in time.
    pub async fn see(&self, css: &str) -> Element {
        let wait = self.client.wait().at_most(PATIENCE).every(GLANCE);
        let found = wait.for_element(Locator::Css(css)).await;
        found.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    /// Waits until there is such an element, and clicks it.
    ///
    /// # Panics
    /// When that cannot be done.
    pub async fn click(&self, css: &str) {
        self.once_there(css, async |element| element.click().await)
            .await;
    }

    /// The text of the first such element, once there is one.
    ///
    /// # Panics
    /// When there is none in time.
    pub async fn text(&self, css: &str) -> String {
        self.once_there(css, async |element| element.text().await)
            .await
    }

    /// Puts a text in place of what a field holds.
    ///
    /// # Panics
    /// When there is no such field.
    pub async fn fill(&self, css: &str, text: &str) {
        self.once_there(css, async |field| {
            field.clear().await?;
            field.send_keys(text).await
        })
        .await;
    }

    /// Does something with an element. A page that goes on by itself may put another in its place between the
    /// finding and the doing: then it is done with that one.
    async fn once_there<T>(
        &self,
        css: &str,
        act: impl AsyncFn(Element) -> Result<T, CmdError>,
    ) -> T {
        for _ in 0..REPLACEMENTS {
            match act(self.see(css).await).await {
                Err(error) if error.is_stale_element_reference() => {}
                done => return done.unwrap_or_else(|error| panic!("{css}: {error}")),
            }
        }
        panic!("{css}: replaced {REPLACEMENTS} times while it was looked at");
    }

    /// Has the browser send a cookie to the host that it shows a page of.
    ///
    /// # Panics
    /// When it will not.
    pub async fn set_cookie(&self, name: &str, value: &str) {
        let shown = self
            .client
            .current_url()
            .await
            .expect("the browser shows a page");
        let cookie =
            json!({ "name": name, "value": value, "url": shown.as_str(), "httpOnly": true });
        // By WebDriver a cookie has a domain, which hosts that are addresses do not have.
        let set = self.devtools("Network.setCookie", cookie).await;
        assert_eq!(set["success"], true, "{set}");
    }

    /// Has Chromium do what its developer tools can and the standard for drivers has no words for.
    ///
    /// # Panics
    /// When it will not.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let call = DevTools(json!({ "cmd": command, "params": parameters }));
        let answer = self.client.issue_cmd(call).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Waits until such an element says this: the page before may have one as well, that says something else.
    ///
    /// # Panics
    /// When none does in time.
    pub async fn says(&self, css: &str, part: &str) {
        let what = format!("{css} to say: {part}");
        wait_for(&what, async || self.text(css).await.contains(part)).await;
    }

    /// Every address that a page has asked for since this was asked last.
    ///
    /// # Panics
    /// When the browser is gone.
    pub async fn requests(&self) -> Vec<String> {
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

    /// What the browser has noted of a kind (`browser`: what pages complain of) since this was asked last.
    ///
    /// # Panics
    /// When the browser is gone.
    pub async fn log(&self, kind: &'static str) -> Vec<Value> {
        let entries = self
            .client
            .issue_cmd(ReadLog(kind))
            .await
            .expect("the driver tells its log");
        entries.as_array().expect("a log is a list").clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its driver.
        let _ended = self.driver.kill();
        let _reaped = self.driver.wait();
    }
}

fn capabilities(more: &[&str]) -> Capabilities {
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
    let arguments: Vec<&str> = arguments.iter().chain(more).copied().collect();
    let capabilities = json!({
        "goog:chromeOptions": { "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
    });
    capabilities
        .as_object()
        .expect("capabilities are an object")
        .clone()
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

/// Calls the developer tools, as Chromium's driver offers it beside the standard.
#[derive(Debug)]
struct DevTools(Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/goog/cdp/execute"))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.0.to_string()))
    }
}
