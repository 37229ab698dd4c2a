//! Independent clients that note how every request ended, by token.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use reqwest::RequestBuilder;
use serde_json::json;
use tokio::task::JoinSet;
use tollkeeper_testkit::stack::Person;
use tollkeeper_testkit::wait_for;
use uuid::Uuid;

const CLIENTS: usize = 6;

/// How the requests with one token ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    /// With a verdict on the token: such a request is counted.
    pub(crate) answered: u64,
    /// Without an answer, or without a verdict: it may be counted or not.
    pub(crate) open: u64,
}

/// How requests ended, by token.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen(pub(crate) BTreeMap<Uuid, Ends>);

impl Seen {
    pub(crate) fn all(&self) -> Ends {
        self.0.values().fold(Ends::default(), |all, ends| Ends {
            answered: all.answered + ends.answered,
            open: all.open + ends.open,
        })
    }

    /// All of them since an earlier moment.
    pub(crate) fn since(&self, before: Self) -> Ends {
        let (all, before) = (self.all(), before.all());
        Ends {
            answered: all.answered - before.answered,
            open: all.open - before.open,
        }
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>7} answered {:>5} not", self.answered, self.open)
    }
}

/// Clients at work.
pub(crate) struct Clients {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

impl Clients {
    /// Two tokens that pass and one that lacks the scope, asked for at every address in turn.
    pub(crate) async fn start(
        operator: &Person,
        addresses: impl IntoIterator<Item = SocketAddr>,
    ) -> Self {
        let account = operator.account("shop").await;
        let mut tokens = Vec::new();
        for scopes in [json!(["orders:read"]), json!(["orders:*"]), json!([])] {
            let token = operator.issue(&account, json!({ "scopes": scopes })).await;
            let id: Uuid = token["id"].as_str().unwrap().parse().unwrap();
            tokens.push((id, token["token"].as_str().unwrap().to_owned()));
        }
        let urls: Vec<String> = addresses
            .into_iter()
            .map(|address| format!("http://{address}/v1/forward-auth/orders?scope=orders:read"))
            .collect();
        let (seen, stop) = (Arc::default(), Arc::default());
        let mut tasks = JoinSet::new();
        for number in 0..CLIENTS {
            let (urls, tokens) = (urls.clone(), tokens.clone());
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            tasks.spawn(async move {
                let http = tollkeeper_testkit::http_client();
                let mut number = number;
                while !AtomicBool::load(&stop, Ordering::SeqCst) {
                    let (id, token) = &tokens[number % tokens.len()];
                    let url = &urls[number / tokens.len() % urls.len()];
                    let request = http.get(url).bearer_auth(token);
                    ask(request, *id, &seen).await;
                    number += 1;
                }
            });
        }
        Self { seen, stop, tasks }
    }

    /// What was seen so far.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }

    /// Waits until so many more requests are answered.
    pub(crate) async fn answered(&self, more: u64) {
        let goal = self.seen().all().answered + more;
        wait_for("requests to be answered", async || {
            self.seen.lock().all().answered >= goal
        })
        .await;
    }

    /// Ends all clients, and tells what they have seen.
    pub(crate) async fn stop(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        self.tasks.join_all().await;
        Arc::into_inner(self.seen).unwrap().into_inner()
    }
}

async fn ask(request: RequestBuilder, id: Uuid, seen: &Mutex<Seen>) {
    let answer = request.send().await;
    let mut seen = seen.lock();
    let ends = seen.0.entry(id).or_default();
    match answer {
        Ok(answer) => match answer.status().as_u16() {
            200 | 403 => ends.answered += 1,
            // It does not know the token, or could not judge it.
            503 => ends.open += 1,
            other => panic!("a status that nobody should see: {other}"),
        },
        // Nobody listened, so nothing was sent.
        Err(error) if error.is_connect() => {}
        Err(_) => ends.open += 1,
    }
}
