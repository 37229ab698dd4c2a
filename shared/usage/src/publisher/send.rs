//! Getting one message acknowledged by the broker, however long it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::connection::State;
use async_nats::jetstream::{self, context::PublishError};
use bytes::Bytes;
use thiserror::Error;
use tollkeeper_telemetry::usage::PUBLISH_RETRIES;

use super::seen::{Receipt, Seen};
use super::settings::PublisherSettings;

const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// The road to the broker, shared by all messages in flight.
#[derive(Clone)]
pub(super) struct Sender {
    client: async_nats::Client,
    jetstream: jetstream::Context,
    ack_timeout: Duration,
    max_backoff: Duration,
    seen: Seen,
    /// Whether the last try of any message failed, so that an outage is logged once.
    troubled: Arc<AtomicBool>,
}

#[derive(Debug, Error)]
enum SendError {
    #[error(transparent)]
    Refused(#[from] PublishError),
    #[error("the broker did not acknowledge in time")]
    TimedOut(#[from] tokio::time::error::Elapsed),
}

impl Sender {
    pub(super) fn new(
        client: async_nats::Client,
        seen: Seen,
        settings: &PublisherSettings,
    ) -> Self {
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(settings.ack_timeout);
        Self {
            jetstream,
            client,
            ack_timeout: settings.ack_timeout,
            max_backoff: settings.max_backoff,
            seen,
            troubled: Arc::default(),
        }
    }

    /// Publishes until the broker has acknowledged. Every try carries the same message id: within
    /// its duplicate window the broker keeps one copy, and beyond it the ledger does.
    pub(super) async fn send(
        &self,
        subject: String,
        headers: HeaderMap,
        message: Bytes,
    ) -> Receipt {
        let mut backoff = FIRST_BACKOFF;
        loop {
            self.connected().await;
            match self.attempt(&subject, &headers, &message).await {
                Ok(receipt) => {
                    if self.troubled.swap(false, Ordering::Relaxed) {
                        tracing::info!("usage reaches the broker again");
                    }
                    return receipt;
                }
                Err(error) => {
                    PUBLISH_RETRIES.handle().increment(1);
                    if !self.troubled.swap(true, Ordering::Relaxed) {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            %subject,
                            "usage does not reach the broker; it waits in the spool"
                        );
                    }
                }
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(self.max_backoff);
        }
    }

    async fn attempt(
        &self,
        subject: &str,
        headers: &HeaderMap,
        message: &Bytes,
    ) -> Result<Receipt, SendError> {
        let before = self.seen.now();
        let publish = async {
            let ack = self
                .jetstream
                .publish_with_headers(subject.to_owned(), headers.clone(), message.clone())
                .await?;
            ack.await
        };
        // The client bounds the wait for the acknowledgement but not the wait for a free place.
        let ack = tokio::time::timeout(self.ack_timeout, publish).await??;
        Ok(self.seen.acknowledged(before, &ack))
    }

    /// Waits until there is a connection: the client would otherwise queue each try in memory.
    async fn connected(&self) {
        while self.client.connection_state() != State::Connected {
            tokio::time::sleep(FIRST_BACKOFF).await;
        }
    }
}
