//! The proxies that Tollkeeper ships a configuration for: each is the real program with the very
//! file that is shipped, between real clients and an application that remembers what reaches it.
//!
//! Nothing that a client writes changes what is judged, counted or said of it; every request is
//! judged and counted once; and without Tollkeeper nobody passes.

#![allow(clippy::unwrap_used, reason = "a test")]

mod application;
mod books;
mod holders;
mod identity;
mod limits;
mod outage;
mod programs;
mod proxy;
mod traffic;
mod visitor;

use std::net::SocketAddr;

use application::Application;
use programs::Kind;
use proxy::SHIPPED;
use tollkeeper_embedded::ports;
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{FaultProxy, Stack};

/// What a proxy stands between.
pub(crate) struct Surroundings {
    pub(crate) stack: Stack,
    pub(crate) api: Node,
    /// Where the API answers by gRPC.
    pub(crate) grpc: SocketAddr,
    pub(crate) application: Application,
    pub(crate) operator: Person,
    pub(crate) account: String,
    /// Between the API and its database.
    pub(crate) database: FaultProxy,
    _ingestor: Node,
}

impl Surroundings {
    async fn new() -> Self {
        let mut stack = Stack::bare().await;
        // Visitors come from another address of the loopback.
        let grpc = SocketAddr::from(([127, 0, 0, 1], ports::free().unwrap()));
        let grpc_text = grpc.to_string();
        let mut settings = vec![
            ("TOLLKEEPER_TRUSTED_PROXIES", "127.0.0.1/32"),
            ("TOLLKEEPER_GRPC_LISTEN", grpc_text.as_str()),
        ];
        settings.extend(holders::SETTINGS);
        let ingestor = stack.ingestor(&[]).await;
        let database = FaultProxy::start(stack.database.tcp_address()).await;
        stack.database_through(database.address());
        let api = stack.api(&settings).await;
        let operator = api.operator();
        let account = operator.account("shop").await;
        Self {
            stack,
            api,
            grpc,
            application: Application::start().await,
            operator,
            account,
            database,
            _ingestor: ingestor,
        }
    }
}

async fn guards(kind: Kind) {
    let mut around = Surroundings::new().await;
    let proxy = kind.start(&around, SHIPPED).await;
    let mut visitors = traffic::run(&around, &proxy).await;
    visitors.extend(identity::run(&around, &proxy).await);
    visitors.extend(limits::run(kind, &around, &proxy).await);
    visitors.extend(outage::run(kind, &mut around, &proxy).await);
    drop(proxy);
    let proxy = kind.start(&around, "env=live").await;
    visitors.extend(identity::without_scopes(&around, &proxy).await);
    drop(proxy);
    let proxy = kind.start(&around, "jwt=allow").await;
    let passed = holders::run(&around, &proxy).await;
    books::agree(kind, &mut around, &visitors, passed).await;
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
