//! Somebody who talks to an API.

use std::net::SocketAddr;

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::http::http_client;

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The `code` of a problem.
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The body of an answer with this status.
    ///
    /// # Panics
    /// With the whole answer, when the status is another.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Somebody with a credential, or without one.
#[derive(Debug, Clone)]
pub struct Person {
    client: Client,
    base: String,
    credential: Option<(&'static str, String)>,
}

impl Person {
    pub(super) fn new(at: SocketAddr, credential: Option<(&'static str, String)>) -> Self {
        Self {
            client: http_client(),
            base: format!("http://{at}"),
            credential,
        }
    }

    /// A request with the credential, to be completed by the test.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.credential {
            Some((name, value)) => request.header(*name, value),
            None => request,
        }
    }

    /// Sends a request, if somebody listens.
    pub async fn try_send(request: RequestBuilder) -> Option<Answer> {
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Some(Answer {
            status,
            headers,
            text: response.text().await.ok()?,
        })
    }

    /// Sends a request.
    ///
    /// # Panics
    /// When nobody listens.
    pub async fn send(request: RequestBuilder) -> Answer {
        Self::try_send(request).await.expect("the server answers")
    }

    /// `GET`, if somebody listens.
    pub async fn try_get(&self, path: &str) -> Option<Answer> {
        Self::try_send(self.request(Method::GET, path)).await
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        Self::send(self.request(Method::GET, path)).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Self::send(self.request(Method::POST, path).json(&body)).await
    }

    /// `PATCH` with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        Self::send(self.request(Method::PATCH, path).json(&body)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        Self::send(self.request(Method::DELETE, path)).await
    }

    /// Registers an account and gives its id.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn account(&self, external_id: &str) -> String {
        let body = json!({ "external_id": external_id });
        let made = self.post("/v1/accounts", body).await.expect(201);
        made["id"].as_str().expect("an id").to_owned()
    }

    /// Issues a token with these fields and gives the answer, `token` and `id` among it.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn issue(&self, account: &str, fields: Value) -> Value {
        let mut body = json!({ "account_id": account, "name": "a token" });
        for (name, value) in fields.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        self.post("/v1/tokens", body).await.expect(201)
    }
}
