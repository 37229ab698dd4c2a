//! Many requests at once, of tokens that may pass and tokens that may not, one of which is revoked
//! on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tollkeeper_domain::secret::{Environment, TokenSecret};

use crate::Surroundings;
use crate::proxy::Proxy;
use crate::visitor::{Visitor, http};

const REQUESTS: usize = 3_000;
const CLIENTS: usize = 8;

const METHODS: [Method; 7] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::HEAD,
    Method::OPTIONS,
];

/// A client's query is not Tollkeeper's, whatever it looks like.
const PATHS: [&str; 6] = [
    "/api/",
    "/api/orders/17",
    "/api/orders?page=2&sort=-name",
    "/api/a%20b/%C3%A9;v=1",
    "/api/search?scope=x:admin&env=test&from=original&deny=403&cost=1000000",
    "/api/search?uri=/forged&q=a?b&x=[1]",
];

/// Sends all requests; when half are sent, one token is revoked.
pub(crate) async fn run(around: &Surroundings, proxy: &Proxy) -> Vec<Arc<Visitor>> {
    let visitors = visitors(around).await;
    let revoked = visitors.iter().find(|it| it.label == "revoked").cloned();
    let revoked = revoked.unwrap();
    let gone = Arc::new(AtomicBool::new(false));
    let next = Arc::new(AtomicUsize::new(0));
    let http = http();
    let mut running = JoinSet::new();
    for _ in 0..CLIENTS {
        let (visitors, next, http, to) =
            (visitors.clone(), next.clone(), http.clone(), proxy.address);
        let (gone, revoked, operator) = (gone.clone(), revoked.clone(), around.operator.clone());
        running.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= REQUESTS {
                    return;
                }
                if number == REQUESTS / 2 {
                    let path = format!("/v1/tokens/{}", revoked.id.as_deref().unwrap());
                    let _ = operator.delete(&path).await.expect(200);
                    gone.store(true, Ordering::SeqCst);
                }
                // Every visitor, every method and every path meet, in no simple order.
                let visitor = &visitors[number * 37 % visitors.len()];
                let method = METHODS[number / 5 % METHODS.len()].clone();
                let path = PATHS[number / 7 % PATHS.len()];
                let over = gone.load(Ordering::SeqCst);
                let status = visitor.send(&http, to, method, path).await;
                let expected: &[u16] = match visitor.label {
                    "reader" | "second" => &[200],
                    "revoked" if over => &[401],
                    "revoked" => &[200, 401],
                    "wrong scope" => &[403],
                    _ => &[401],
                };
                assert!(expected.contains(&status), "{}: {status}", visitor.label);
            }
        });
    }
    running.join_all().await;
    for status in [200, 401] {
        assert!(revoked.answers().contains_key(&status), "revoked: {status}");
    }
    visitors
}

async fn visitors(around: &Surroundings) -> Vec<Arc<Visitor>> {
    let mut visitors = Vec::new();
    for (label, scopes) in [
        ("reader", json!(["site:read", "orders:*"])),
        ("second", json!(["site:*"])),
        ("revoked", json!(["site:read"])),
        ("suspended", json!(["site:read"])),
        ("wrong scope", json!(["site:write", "orders:*"])),
    ] {
        visitors.push(issued(around, label, scopes).await);
    }
    let path = format!("/v1/tokens/{}/suspend", visitors[3].id.as_deref().unwrap());
    let _ = around.operator.post(&path, json!({})).await.expect(200);
    let brand = "tk".parse().unwrap();
    let unknown = TokenSecret::generate(&brand, Environment::Live, |bytes| bytes.fill(7));
    for (label, token) in [
        ("unknown", Some(unknown.expose())),
        ("malformed", Some("tk_live_0123")),
        ("nobody", None),
    ] {
        visitors.push(Arc::new(Visitor::new(label, token, None)));
    }
    visitors
}

/// A visitor with a token of these scopes.
pub(crate) async fn issued(
    around: &Surroundings,
    label: &'static str,
    scopes: Value,
) -> Arc<Visitor> {
    issued_with(around, label, json!({ "scopes": scopes })).await
}

/// A visitor with a token of which all this holds.
pub(crate) async fn issued_with(
    around: &Surroundings,
    label: &'static str,
    fields: Value,
) -> Arc<Visitor> {
    let made = around.operator.issue(&around.account, fields).await;
    Arc::new(Visitor::new(
        label,
        made["token"].as_str(),
        made["id"].as_str(),
    ))
}
