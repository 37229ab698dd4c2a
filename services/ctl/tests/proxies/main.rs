//! The proxies that Tollkeeper ships a configuration for: each is the real program with the very
//! file that is shipped, between real clients and an application that remembers what reaches it.
//!
//! Nothing that a client writes changes what is judged, counted or said of it; every request is
//! judged and counted once; and without Tollkeeper nobody passes.

#![allow(clippy::unwrap_used, reason = "a test")]

mod application;
mod books;
mod identity;
mod outage;
mod programs;
mod proxy;
mod traffic;
mod visitor;

use std::net::SocketAddr;

use application::Application;
use programs::Kind;
use tollkeeper_embedded::ports;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Node, Person};

/// What a proxy stands between.
pub(crate) struct Surroundings {
    pub(crate) stack: Stack,
    pub(crate) api: Node,
    /// Where the API answers by gRPC.
    pub(crate) grpc: SocketAddr,
    pub(crate) application: Application,
    pub(crate) operator: Person,
    pub(crate) account: String,
    _ingestor: Node,
}

impl Surroundings {
    async fn new() -> Self {
        let mut stack = Stack::bare().await;
        // Visitors come from another address of the loopback.
        let grpc = SocketAddr::from(([127, 0, 0, 1], ports::free().unwrap()));
        let settings = [
            ("TOLLKEEPER_TRUSTED_PROXIES", "127.0.0.1/32"),
            ("TOLLKEEPER_GRPC_LISTEN", &grpc.to_string()),
        ];
        let api = stack.api(&settings).await;
        let ingestor = stack.ingestor(&[]).await;
        let operator = api.operator();
        let account = operator.account("shop").await;
        Self {
            stack,
            api,
            grpc,
            application: Application::start().await,
            operator,
            account,
            _ingestor: ingestor,
        }
    }
}

async fn guards(kind: Kind) {
    let mut around = Surroundings::new().await;
    let proxy = kind.start(&around, true).await;
    let mut visitors = traffic::run(&around, &proxy).await;
    visitors.extend(identity::run(&around, &proxy).await);
    visitors.extend(outage::run(&mut around, &proxy).await);
    drop(proxy);
    let proxy = kind.start(&around, false).await;
    visitors.extend(identity::without_scopes(&around, &proxy).await);
    books::agree(kind, &around, &visitors).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_guards_an_application() {
    guards(Kind::Nginx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_guards_an_application() {
    guards(Kind::Caddy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traefik_guards_an_application() {
    guards(Kind::Traefik).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_guards_an_application_over_http() {
    guards(Kind::EnvoyHttp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_guards_an_application_over_grpc() {
    guards(Kind::EnvoyGrpc).await;
}
