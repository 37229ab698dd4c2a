//! What the areas of the console share in their tests: an installation with its people, what a browser sees
//! of a page, and pictures of it.

mod crawl;
mod looks;
mod seed;
mod visitor;

pub(crate) use crawl::{Page, crawl, unescaped};
pub(crate) use looks::{as_it_was, axe, prefer, resize, shot};
pub(crate) use seed::seed;
pub(crate) use visitor::{Client, Got, Visitor};

use sqlx::PgPool;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{FaultProxy, Stack};
use uuid::Uuid;

/// An installation with a console.
#[derive(Debug)]
pub(crate) struct Site {
    /// The API, which serves the console.
    pub(crate) api: Node,
    /// What is behind it.
    pub(crate) stack: Stack,
    /// The database, as its owner reaches it.
    pub(crate) pool: PgPool,
}

impl Site {
    /// A new one, without accounts.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same with these settings of the API on top.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        let mut stack = Stack::bare().await;
        let api = stack.api(settings).await;
        let pool = stack.database.pool.clone();
        Self { api, stack, pool }
    }

    /// A new one whose API reaches the database through a proxy that cuts it off.
    pub(crate) async fn through_proxy() -> (Self, FaultProxy) {
        let mut stack = Stack::bare().await;
        let proxy = FaultProxy::start(stack.database.tcp_address()).await;
        stack.database_through(proxy.address());
        let api = stack.api(&[]).await;
        let pool = stack.database.pool.clone();
        (Self { api, stack, pool }, proxy)
    }

    /// Where it answers: `http://127.0.0.1:…`, without a slash.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.api.public)
    }

    /// An operator who is signed in.
    pub(crate) async fn operator(&self) -> Visitor {
        self.visitor("ada@example.org", None).await
    }

    /// A holder of this account who is signed in.
    pub(crate) async fn user(&self, account_id: &str) -> Visitor {
        let account_id = account_id.parse().expect("an account's id");
        self.visitor(
            &format!("holder-{account_id}@example.org"),
            Some(account_id),
        )
        .await
    }

    /// Somebody who is not signed in.
    pub(crate) fn nobody(&self) -> Client {
        Client::of_nobody(self.base())
    }

    /// Somebody of this address who is signed in: the same person, if there is one of it.
    pub(crate) async fn visitor(&self, email: &str, account_id: Option<Uuid>) -> Visitor {
        Visitor::sign_in(&self.pool, self.base(), email, account_id).await
    }
}
