//! The application behind the proxy: it answers everything and remembers what it was sent.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One request, as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

impl Seen {
    /// The one value of a header; none where it is missing or empty.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values: Vec<_> = self.headers.get_all(name).iter().collect();
        assert!(values.len() <= 1, "{name} comes more than once: {self:?}");
        let text = values.first().map(|value| value.to_str().unwrap());
        text.filter(|text| !text.is_empty())
    }

    /// The names of all headers that could be taken for Tollkeeper's.
    pub(crate) fn identity_names(&self) -> Vec<&str> {
        let names = self.headers.keys().map(|name| name.as_str());
        let ours = names.filter(|name| name.contains("tollkeeper"));
        ours.collect()
    }
}

type Memory = Arc<Mutex<Vec<Seen>>>;

/// It ends when dropped.
pub(crate) struct Application {
    pub(crate) address: SocketAddr,
    memory: Memory,
    serving: JoinHandle<()>,
}

impl Application {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let memory = Memory::default();
        let router = Router::new().fallback(remember).with_state(memory.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            memory,
            serving,
        }
    }

    /// All that it was sent.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.memory.lock().clone()
    }

    /// The last that it was sent.
    pub(crate) fn last(&self) -> Seen {
        self.memory.lock().last().cloned().unwrap()
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn remember(
    State(memory): State<Memory>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    _body: Bytes,
) {
    memory.lock().push(Seen {
        method,
        uri,
        headers,
    });
}
