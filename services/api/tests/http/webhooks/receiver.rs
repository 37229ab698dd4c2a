//! Somebody's endpoint, which keeps what arrives and answers as the test wants.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tollkeeper_testkit::wait_for;

/// One request that arrived.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Arrived {
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .unwrap_or_else(|| panic!("no {name}"))
            .to_str()
            .unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn position(&self) -> i64 {
        self.json()["data"]["position"].as_i64().unwrap()
    }

    pub(super) fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    /// Whether it is signed with this secret, by the standard's library and by hand alike.
    pub(super) fn is_signed_with(&self, secret: &str) -> bool {
        let library = standardwebhooks::Webhook::new(secret).unwrap();
        let by_library = library.verify(&self.body, &self.headers).is_ok();

        let key = STANDARD
            .decode(secret.strip_prefix("whsec_").unwrap())
            .unwrap();
        let (id, time) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let signatures = self.header("webhook-signature");
        let by_hand = signatures.split(' ').any(|signature| {
            let given = STANDARD
                .decode(signature.strip_prefix("v1,").unwrap())
                .unwrap();
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            for part in [id.as_bytes(), b".", time.as_bytes(), b".", &self.body] {
                mac.update(part);
            }
            mac.verify_slice(&given).is_ok()
        });
        assert_eq!(by_library, by_hand);
        by_hand
    }
}

type Planned = (StatusCode, Vec<(HeaderName, &'static str)>, String);

/// An endpoint on this machine.
pub(super) struct Receiver {
    pub(super) port: u16,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    planned: Arc<Mutex<VecDeque<Planned>>>,
    open: watch::Sender<bool>,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let planned = Arc::new(Mutex::new(VecDeque::<Planned>::new()));
        let open = watch::Sender::new(true);
        let (kept, plan, gate) = (arrived.clone(), planned.clone(), open.clone());
        let take = move |headers: HeaderMap, body: Bytes| {
            kept.lock().push(Arrived { headers, body });
            let answer = plan.lock().pop_front();
            let mut gate = gate.subscribe();
            async move {
                let _opened = gate.wait_for(|open| *open).await;
                match answer {
                    None => StatusCode::NO_CONTENT.into_response(),
                    Some((status, headers, body)) => {
                        let mut response = (status, body).into_response();
                        for (name, value) in headers {
                            response.headers_mut().insert(name, value.parse().unwrap());
                        }
                        response
                    }
                }
            }
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new().fallback(take);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            port,
            arrived,
            planned,
            open,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// Answers the next request like this, and those after it 204 unless more is planned.
    pub(super) fn plan(&self, status: u16) {
        self.plan_with(status, Vec::new(), "");
    }

    pub(super) fn plan_with(
        &self,
        status: u16,
        headers: Vec<(HeaderName, &'static str)>,
        body: &str,
    ) {
        let status = StatusCode::from_u16(status).unwrap();
        self.planned
            .lock()
            .push_back((status, headers, body.to_owned()));
    }

    /// Takes requests in and answers none of them.
    pub(super) fn fall_silent(&self) {
        self.open.send_replace(false);
    }

    /// Answers again, those that wait too.
    pub(super) fn speak(&self) {
        self.open.send_replace(true);
    }

    pub(super) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().clone()
    }

    /// What has arrived once it is so many.
    pub(super) async fn wait(&self, count: usize) -> Vec<Arrived> {
        wait_for(&format!("{count} requests"), async || {
            self.arrived.lock().len() >= count
        })
        .await;
        self.arrived()
    }
}
