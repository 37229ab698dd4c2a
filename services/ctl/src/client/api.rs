//! Talking to the API.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::Value;
use tollkeeper_runtime::settings::{ApiUrl, Secret};

use super::failure::Failure;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How long it may take to answer: longer than it gives itself.
const ANSWER: Duration = Duration::from_secs(30);

/// The most items that a page may have.
const PAGE: usize = 200;

/// Items of one page or several.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    pub(crate) items: Vec<Value>,
    /// Whether there are others.
    pub(crate) more: bool,
}

/// The API, with the credential that every request carries.
pub(crate) struct Api {
    client: Client,
    base: String,
}

impl Api {
    /// # Errors
    /// If TLS cannot be set up.
    pub(crate) fn new(url: &ApiUrl, key: &Secret) -> Result<Self, Failure> {
        let key = key.expose();
        let is_jwt = key.split('.').count() == 3;
        let (name, text) = if is_jwt {
            (AUTHORIZATION, format!("Bearer {key}"))
        } else {
            (API_KEY, key.to_owned())
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| Failure::Key)?;
        value.set_sensitive(true);
        let client = Client::builder()
            .default_headers(HeaderMap::from_iter([(name, value)]))
            // The credential goes where it was sent and nowhere else.
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .build()?;
        let base = url.as_str().to_owned();
        Ok(Self { client, base })
    }

    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        self.ask(Method::GET, path, query, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask(Method::POST, path, &[], Some(body)).await
    }

    pub(crate) async fn delete(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Value, Failure> {
        self.ask(Method::DELETE, path, query, None).await
    }

    /// The items of all pages, `most` of them at most.
    pub(crate) async fn pages(
        &self,
        path: &str,
        filters: &[(&str, String)],
        most: Option<usize>,
    ) -> Result<Pages, Failure> {
        let mut pages = Pages::default();
        let mut cursor: Option<String> = None;
        loop {
            let left = most.map_or(PAGE, |most| most.saturating_sub(pages.items.len()));
            let mut query = filters.to_vec();
            query.push(("limit", left.clamp(1, PAGE).to_string()));
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let mut page = self.get(path, &query).await?;
            let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) else {
                return Err(Failure::Foreign(reqwest::StatusCode::OK));
            };
            pages.items.extend(items);
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            pages.more = cursor.is_some();
            if !pages.more || most.is_some_and(|most| pages.items.len() >= most) {
                return Ok(pages);
            }
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let url = format!("{}/v1/{path}", self.base);
        let request = self.client.request(method, url).query(query);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        let foreign = |_| Failure::Foreign(status);
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(foreign);
        }
        let problem = serde_json::from_slice(&bytes).map_err(foreign)?;
        Err(Failure::Refused { status, problem })
    }
}
