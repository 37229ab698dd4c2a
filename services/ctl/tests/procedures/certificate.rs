//! The certificate of the API gives way to another while requests go on.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use reqwest::{Certificate, Client};
use tokio::task::JoinSet;
use tollkeeper_testkit::{Stack, TestAuthority, wait_for};

use crate::runbook::Runbook;

const RUNBOOK: Runbook = Runbook(include_str!(
    "../../../../docs/runbooks/certificate-expiring.md"
));

/// How many requests are answered between two steps.
const STEP: u64 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_gives_way_and_no_request_fails() {
    let authority = TestAuthority::default();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let old = authority.issue_until("localhost", 2100);
    fs::write(&certificate, &old.certificate).unwrap();
    fs::write(&key, &old.key).unwrap();
    let mut stack = Stack::bare().await;
    let settings = [
        ("TOLLKEEPER_TLS_CERT", certificate.to_str().unwrap()),
        ("TOLLKEEPER_TLS_KEY", key.to_str().unwrap()),
    ];
    let api = stack.api(&settings).await;
    let listener = format!("localhost:{}", api.public.port());
    let requests = Requests::start(&authority, &listener);
    let presented = async |year: &str| {
        let variables = [("LISTENER", listener.as_str())];
        wait_for("the certificate to be presented", async || {
            let asked = RUNBOOK.run(
                "What does the listener present?",
                (&stack, &api),
                &variables,
            );
            let (code, said) = asked.await;
            assert_eq!(code, 0, "{said}");
            said.contains(year)
        })
        .await;
    };
    presented("2100").await;
    requests.answered(STEP).await;

    let new = authority.issue_until("localhost", 2101);
    fs::write(&certificate, &new.certificate).unwrap();
    requests.answered(STEP).await;
    fs::write(&key, &new.key).unwrap();
    presented("2101").await;
    requests.answered(STEP).await;
    requests.stop().await;
}

/// Requests by connections that stay and by new ones; one that fails fails the test.
struct Requests {
    answered: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

impl Requests {
    fn start(authority: &TestAuthority, listener: &str) -> Self {
        let trusted = Certificate::from_pem(authority.certificate().as_bytes()).unwrap();
        let client = |idle| {
            let client = Client::builder().no_proxy().pool_max_idle_per_host(idle);
            client.tls_certs_only([trusted.clone()]).build().unwrap()
        };
        let url = format!("https://{listener}/v1/forward-auth");
        let (answered, stop) = (Arc::default(), Arc::default());
        let mut tasks = JoinSet::new();
        for client in [client(1), client(0)] {
            let (answered, stop) = (Arc::clone(&answered), Arc::clone(&stop));
            tasks.spawn(ask(client, url.clone(), answered, stop));
        }
        Self {
            answered,
            stop,
            tasks,
        }
    }

    async fn answered(&self, more: u64) {
        let goal = AtomicU64::load(&self.answered, Ordering::SeqCst) + more;
        wait_for("requests to be answered", async || {
            AtomicU64::load(&self.answered, Ordering::SeqCst) >= goal
        })
        .await;
    }

    async fn stop(self) {
        AtomicBool::store(&self.stop, true, Ordering::SeqCst);
        // Panics if one of them did.
        self.tasks.join_all().await;
    }
}

async fn ask(client: Client, url: String, answered: Arc<AtomicU64>, stop: Arc<AtomicBool>) {
    while !AtomicBool::load(&stop, Ordering::SeqCst) {
        let answer = client.get(&url).send().await.unwrap();
        // Nobody has shown a credential.
        assert_eq!(answer.status(), 401);
        answered.fetch_add(1, Ordering::SeqCst);
    }
}
