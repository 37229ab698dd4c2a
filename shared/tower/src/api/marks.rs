//! Marks of how far usage has got, made through the API.

use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::Method;
use tollkeeper_authn::wire::{Given, UsageMark};
use tollkeeper_usage::reporter::Mark;
use tollkeeper_usage::{MarkError, MarkKeeper, Reporter};

use super::client::Client;

/// Tells the API how far usage has got.
#[derive(Debug)]
pub(crate) struct ApiMarks(pub(crate) Arc<Client>);

impl MarkKeeper for ApiMarks {
    fn keep<'a>(
        &'a self,
        reporter: &'a Reporter,
        mark: &'a Mark,
    ) -> BoxFuture<'a, Result<(), MarkError>> {
        let given = mark.given.iter();
        let body = UsageMark {
            name: reporter.name.clone(),
            started_at: reporter.started_at,
            at: mark.at,
            given: given
                .map(|&(source, last)| Given { source, last })
                .collect(),
            ended: mark.is_last,
        };
        let path = format!("/v1/nodes/{}/usage", reporter.id);
        Box::pin(async move {
            let told = self.0.send(self.0.request(Method::PUT, &path).json(&body));
            let told = told.await.map(drop);
            told.map_err(|error| MarkError::Failed(error.into()))
        })
    }
}
