//! The ledger, asked through the API.

use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::Method;
use tollkeeper_authn::wire::{MOST_SOURCES, Settled, Sources};
use tollkeeper_usage::ledger::{Coverage, Covered};
use tollkeeper_usage::{LedgerError, LedgerReader};
use uuid::Uuid;

use super::client::Client;

/// Asks the API which usage is settled.
#[derive(Debug)]
pub(crate) struct ApiLedger(pub(crate) Arc<Client>);

impl LedgerReader for ApiLedger {
    fn covered(&self, sources: Vec<Uuid>) -> BoxFuture<'_, Result<Coverage, LedgerError>> {
        Box::pin(async move {
            let mut coverage = Coverage::new();
            for some in sources.chunks(MOST_SOURCES) {
                let body = Sources {
                    sources: some.to_vec(),
                };
                let question = self.0.request(Method::POST, "/v1/nodes/ledger");
                let settled: Settled = self
                    .0
                    .ask(question.json(&body))
                    .await
                    .map_err(|error| LedgerError(error.into()))?;
                for settled in settled.settled {
                    let covered = Covered {
                        ranges: settled.ranges.into_iter().collect(),
                        final_number: settled.final_sequence,
                    };
                    coverage.insert(settled.source, covered);
                }
            }
            Ok(coverage)
        })
    }
}
