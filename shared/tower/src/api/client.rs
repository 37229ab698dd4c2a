//! HTTP to the API.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, Url, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tollkeeper_authn::SourceError;
use tollkeeper_runtime::settings::Secret;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

const CONNECT: Duration = Duration::from_secs(1);

/// The engine is less patient; this bounds the rest.
const ANSWER: Duration = Duration::from_secs(5);

/// Why there is no client. Shows nothing of the credential.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is not that of an API.
    #[error("the API's address must be an http:// or https:// URL without a query")]
    Address,
    /// The credential is nothing that a header can carry.
    #[error("the API's credential cannot be sent")]
    Credential,
    /// The client cannot be set up.
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
}

/// An answer that is none of those a node expects.
#[derive(Debug, thiserror::Error)]
#[error("the API answered {status} {code}")]
struct Unexpected {
    status: u16,
    code: String,
}

/// The part of a problem that a node tells of.
#[derive(Deserialize)]
struct Problem {
    code: String,
}

/// Keeps connections to one API.
#[derive(Debug)]
pub(crate) struct Client {
    client: reqwest::Client,
    base: String,
}

impl Client {
    /// A client of the API at `url` with this token or operator key.
    pub(crate) fn new(url: &str, credential: &Secret) -> Result<Self, ClientError> {
        let base = Url::parse(url).map_err(|_| ClientError::Address)?;
        let plain = base.query().is_none() && base.fragment().is_none();
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() || !plain {
            return Err(ClientError::Address);
        }
        let mut key =
            HeaderValue::from_str(credential.expose()).map_err(|_| ClientError::Credential)?;
        key.set_sensitive(true);
        let client = reqwest::Client::builder()
            .default_headers(HeaderMap::from_iter([(API_KEY, key)]))
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .tcp_nodelay(true)
            // The credential is for this API alone, and nothing is taken from the environment.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(ClientError::Client)?;
        Ok(Self {
            client,
            base: base.as_str().trim_end_matches('/').to_owned(),
        })
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// Sends a question and reads the answer.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        question: RequestBuilder,
    ) -> Result<T, SourceError> {
        let answer = self.send(question).await?;
        let bytes = answer.bytes().await.map_err(api)?;
        serde_json::from_slice(&bytes)
            .map_err(|_| SourceError::Corrupt("the API answered in another form"))
    }

    /// Sends a question that is well if it succeeds.
    pub(crate) async fn send(&self, question: RequestBuilder) -> Result<Response, SourceError> {
        let answer = question.send().await.map_err(api)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = answer.bytes().await.unwrap_or_default();
        let code = serde_json::from_slice::<Problem>(&body).map(|problem| problem.code);
        Err(SourceError::Api(Box::new(Unexpected {
            status: status.as_u16(),
            code: code.unwrap_or_default(),
        })))
    }
}

/// Without the address, which may hold a password.
fn api(error: reqwest::Error) -> SourceError {
    SourceError::Api(Box::new(error.without_url()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str, credential: &str) -> Result<Client, ClientError> {
        tollkeeper_runtime::tls::choose_cryptography();
        Client::new(url, &Secret::new(credential))
    }

    #[test]
    fn only_the_address_of_an_api_is_taken() {
        let path = |url: &str| client(url, "a key").map(|client| client.base);
        assert_eq!(path("http://api:8080/").unwrap(), "http://api:8080");
        assert_eq!(
            path("https://api/tollkeeper/").unwrap(),
            "https://api/tollkeeper"
        );
        for bad in [
            "api:8080",
            "ftp://api",
            "http://api?a",
            "http://api#a",
            "unix:/a",
            "",
        ] {
            assert!(matches!(path(bad), Err(ClientError::Address)), "{bad}");
        }
    }

    #[test]
    fn the_credential_is_shown_nowhere() {
        let shown = format!("{:?}", client("http://api", "tk_live_hidden").unwrap());
        assert!(!shown.contains("hidden"), "{shown}");
        let refused = client("http://api", "tk_live_hidden\n").unwrap_err();
        assert!(matches!(refused, ClientError::Credential));
        assert!(!format!("{refused:?} {refused}").contains("hidden"));
    }
}
