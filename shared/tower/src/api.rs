//! The source of nodes without a database: the API, which reads the primary for them.
//!
//! The API's own memory is of no use here: every answer must hold what was committed before it was
//! asked for. A question that is refused or not answered is an error, never "no such token".

mod client;
mod ledger;
mod marks;

use std::sync::Arc;

use reqwest::Method;
use tollkeeper_authn::postgres::Node;
use tollkeeper_authn::wire::{
    Balance, Balances, BalancesUsed, Digests, Events, FoundTokens, Head, Report,
};
use tollkeeper_authn::{
    Attendance, BalanceKey, LogHead, LoggedEvent, Lookup, SourceFuture, TokenSource, Used,
};
use tollkeeper_domain::secret::SecretHash;
use uuid::Uuid;

pub(crate) use client::Client;
pub use client::ClientError;
pub(crate) use ledger::ApiLedger;
pub(crate) use marks::ApiMarks;

/// Asks the API.
#[derive(Debug)]
pub(crate) struct ApiSource {
    client: Arc<Client>,
    node: Node,
}

impl ApiSource {
    /// A source for this node.
    pub(crate) fn new(client: Arc<Client>, node: Node) -> Self {
        Self { client, node }
    }

    fn path(&self) -> String {
        format!("/v1/nodes/{}", self.node.id)
    }
}

impl TokenSource for ApiSource {
    fn lookup<'a>(&'a self, digests: &'a [SecretHash]) -> SourceFuture<'a, Lookup> {
        Box::pin(async move {
            let body = Digests {
                digests: digests.to_vec(),
            };
            let question = self.client.request(Method::POST, "/v1/nodes/lookup");
            let found: FoundTokens = self.client.ask(question.json(&body)).await?;
            found.read(digests)
        })
    }

    fn balances<'a>(
        &'a self,
        asked: &'a [BalanceKey],
        own: &'a [Uuid],
    ) -> SourceFuture<'a, Vec<Used>> {
        Box::pin(async move {
            let body = Balances {
                own: own.to_vec(),
                balances: asked.iter().copied().map(Balance::from).collect(),
            };
            let question = self.client.request(Method::POST, "/v1/nodes/balances");
            let answer: BalancesUsed = self.client.ask(question.json(&body)).await?;
            Ok(answer.used.into_iter().map(Used::from).collect())
        })
    }

    fn attend(&self, attendance: Attendance) -> SourceFuture<'_, LogHead> {
        Box::pin(async move {
            let valid_for = attendance.valid_for.map(|time| time.as_millis());
            let body = Report {
                name: self.node.name.clone(),
                version: self.node.version.clone(),
                applied: attendance.applied.map(Head::from),
                valid_for_ms: valid_for.map(|time| u64::try_from(time).unwrap_or(u64::MAX)),
            };
            let question = self.client.request(Method::PUT, &self.path());
            let head: Head = self.client.ask(question.json(&body)).await?;
            Ok(head.into())
        })
    }

    fn leave(&self) -> SourceFuture<'_, ()> {
        Box::pin(async move {
            let question = self.client.request(Method::DELETE, &self.path());
            self.client.send(question).await.map(drop)
        })
    }

    /// Nothing: no digest goes out.
    fn recently_used(&self, _: usize) -> SourceFuture<'_, Vec<SecretHash>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn events_after(&self, position: u64, limit: usize) -> SourceFuture<'_, Vec<LoggedEvent>> {
        Box::pin(async move {
            let question = self.client.request(Method::GET, "/v1/nodes/events");
            let query = [("after", position), ("limit", limit as u64)];
            let page: Events = self.client.ask(question.query(&query)).await?;
            Ok(page.items.into_iter().map(LoggedEvent::from).collect())
        })
    }
}
