//! One request to an endpoint, bounded in time and in what is read of the answer. Redirects and the
//! environment's proxies are not followed.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use tollkeeper_runtime::settings::NetworkList;
use tollkeeper_usage::Scrubber;

use super::address::{AddressNotAllowed, Guard, literal, was_not_allowed};

/// What is read of an answer, in bytes.
const READ: usize = 1024;

/// What is kept of it, in characters.
const KEPT: usize = 200;

/// How an attempt ended. The names are those of the table and of the metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The endpoint answered 2xx.
    Delivered,
    /// It answered something else.
    Refused,
    /// It did not answer in time.
    TimedOut,
    /// It could not be reached.
    Unreachable,
    /// It may not be reached.
    AddressNotAllowed,
}

impl Outcome {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::AddressNotAllowed => "address_not_allowed",
        }
    }
}

/// What came of an attempt.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) outcome: Outcome,
    pub(super) status: Option<u16>,
    /// The beginning of the answer, or what went wrong.
    pub(super) detail: String,
    /// What the endpoint says about the next attempt.
    pub(super) retry_after: Option<String>,
}

impl Sent {
    fn nothing(outcome: Outcome, why: &str) -> Self {
        Self {
            outcome,
            status: None,
            detail: why.to_owned(),
            retry_after: None,
        }
    }
}

/// Sends requests to where the guard lets it.
#[derive(Debug)]
pub(super) struct Sender {
    encrypted: (Client, Guard),
    plain: (Client, Guard),
    scrubber: Scrubber,
}

impl Sender {
    /// # Errors
    /// If TLS cannot be set up.
    pub(super) fn new(
        allowed: &NetworkList,
        timeout: Duration,
        scrubber: Scrubber,
    ) -> Result<Self, reqwest::Error> {
        let client = |guard: Guard| {
            let client = Client::builder()
                .no_proxy()
                .redirect(Policy::none())
                .timeout(timeout)
                .user_agent(concat!("tollkeeper/", env!("CARGO_PKG_VERSION")))
                .dns_resolver(guard.clone())
                .build()?;
            Ok::<_, reqwest::Error>((client, guard))
        };
        Ok(Self {
            encrypted: client(Guard::encrypted(allowed.clone()))?,
            plain: client(Guard::plain(allowed.clone()))?,
            scrubber,
        })
    }

    /// Sends a JSON body.
    pub(super) async fn send(&self, url: &str, headers: HeaderMap, body: Vec<u8>) -> Sent {
        let Ok(url) = Url::parse(url) else {
            return Sent::nothing(Outcome::Unreachable, "this is not a URL");
        };
        let (client, guard) = if url.scheme() == "https" {
            &self.encrypted
        } else {
            &self.plain
        };
        if literal(&url).is_some_and(|address| !guard.permits(address)) {
            return refused_address();
        }
        let request = client
            .post(url)
            .headers(headers)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        match request.send().await {
            Ok(response) => answered(response, &self.scrubber).await,
            Err(error) if was_not_allowed(&error) => refused_address(),
            Err(error) if error.is_timeout() => {
                Sent::nothing(Outcome::TimedOut, "there was no answer in time")
            }
            Err(error) if error.is_connect() => {
                Sent::nothing(Outcome::Unreachable, "no connection could be made")
            }
            Err(_) => Sent::nothing(Outcome::Unreachable, "the connection broke"),
        }
    }
}

fn refused_address() -> Sent {
    Sent::nothing(Outcome::AddressNotAllowed, &AddressNotAllowed.to_string())
}

async fn answered(mut response: Response, scrubber: &Scrubber) -> Sent {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok().map(str::to_owned));
    let mut body = Vec::new();
    // What follows, or does not come, is of no interest: the status says it all.
    while body.len() < READ
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(READ);
    Sent {
        outcome: if status.is_success() {
            Outcome::Delivered
        } else {
            Outcome::Refused
        },
        status: Some(status.as_u16()),
        detail: snippet(&body, scrubber),
        retry_after,
    }
}

/// The beginning of an answer as a person may see it: one line, and nothing shaped like a token.
fn snippet(body: &[u8], scrubber: &Scrubber) -> String {
    let text = String::from_utf8_lossy(body);
    let plain: String = text
        .chars()
        .map(|it| if it.is_control() { ' ' } else { it })
        .collect();
    let clean = scrubber.scrub(plain.trim());
    clean.chars().take(KEPT).collect()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn sender(allowed: &str) -> Sender {
        tollkeeper_runtime::tls::choose_cryptography();
        Sender::new(
            &allowed.parse().unwrap(),
            Duration::from_millis(50),
            Scrubber::default(),
        )
        .unwrap()
    }

    #[tokio::test]
    async fn what_does_not_answer_is_told_from_what_is_not_there() {
        let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let send = async |allowed, url: String| {
            sender(allowed)
                .send(&url, HeaderMap::new(), Vec::new())
                .await
                .outcome
        };
        let url = format!("http://127.0.0.1:{port}/");
        assert_eq!(send("127.0.0.0/8", url.clone()).await, Outcome::TimedOut);
        assert_eq!(
            send("10.0.0.0/8", url.clone()).await,
            Outcome::AddressNotAllowed
        );
        let name = format!("https://localhost:{port}/");
        assert_eq!(send("", name).await, Outcome::AddressNotAllowed);
        drop(silent);
        assert_eq!(send("127.0.0.0/8", url).await, Outcome::Unreachable);
        assert_eq!(send("", "no URL".to_owned()).await, Outcome::Unreachable);
    }

    #[test]
    fn a_snippet_is_one_short_line_without_tokens() {
        let token = format!("tk_live_{}", "a1B2".repeat(9) + "ab");
        let body = format!("no\r\n\u{0}{token} {}", "x".repeat(1_000));
        let kept = snippet(body.as_bytes(), &Scrubber::default());
        assert!(kept.starts_with("no"), "{kept}");
        assert!(!kept.contains(&token), "{kept}");
        assert!(!kept.contains(char::is_control), "{kept}");
        assert_eq!(kept.chars().count(), KEPT);
        assert_eq!(snippet(&[0xff; 3], &Scrubber::default()).chars().count(), 3);
    }
}
