//! Somebody who issues tokens all the time, each under a key, and tries again as the API's guide says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;
use tokio::task::JoinHandle;
use tollkeeper_testkit::stack::OPERATOR_KEY;
use tollkeeper_testkit::{http_client, wait_for};

/// A writer at work.
pub(crate) struct Writer {
    issued: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Writer {
    /// Issues tokens of this account at this address.
    pub(crate) fn start(address: SocketAddr, account: &str) -> Self {
        let (issued, stop) = (Arc::default(), Arc::default());
        let task = tokio::spawn(issue(
            format!("http://{address}/v1/tokens"),
            account.to_owned(),
            Arc::clone(&issued),
            Arc::clone(&stop),
        ));
        Self { issued, stop, task }
    }

    /// Waits until so many more are issued.
    pub(crate) async fn issued(&self, more: u64) {
        let goal = self.issued.load(Ordering::SeqCst) + more;
        wait_for("tokens to be issued", async || {
            self.issued.load(Ordering::SeqCst) >= goal
        })
        .await;
    }

    /// Ends it, and tells how many tokens it knows of.
    pub(crate) async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
        self.issued.load(Ordering::SeqCst)
    }
}

async fn issue(url: String, account: String, issued: Arc<AtomicU64>, stop: Arc<AtomicBool>) {
    let http = http_client();
    for number in 0_u64.. {
        loop {
            let request = http
                .post(&url)
                .header("X-API-Key", OPERATOR_KEY)
                .header("Idempotency-Key", format!("token-{number}"))
                .json(&json!({ "account_id": account, "name": format!("token {number}") }));
            match request.send().await.unwrap().status().as_u16() {
                201 => break,
                // It may have been issued or not: the key makes it safe to ask again. In flight, where
                // the first attempt is still at work.
                409 | 502 | 503 => tokio::task::yield_now().await,
                other => panic!("a status that nobody should see: {other}"),
            }
        }
        issued.fetch_add(1, Ordering::SeqCst);
        if stop.load(Ordering::SeqCst) {
            return;
        }
    }
}
