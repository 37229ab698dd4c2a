//! Hints between processes: what was just committed, by core NATS.
//!
//! They make a revocation arrive within milliseconds instead of at the next reading of the log.
//! They may be lost, repeated, late or forged; the engine is right without them.

use std::sync::Arc;

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::feed::FeedEvent;

/// The subject hints travel on.
pub const SUBJECT: &str = "tollkeeper.hints";

/// Events in one message, to stay far below the broker's message size.
const PER_MESSAGE: usize = 1_000;

/// A hint was not sent or the subject not listened to. The log tells all the same.
#[derive(Debug, thiserror::Error)]
pub enum HintError {
    /// The client refused to send.
    #[error("a hint could not be sent")]
    Publish(#[from] async_nats::PublishError),
    /// The client refused to subscribe.
    #[error("hints cannot be listened to")]
    Subscribe(#[from] async_nats::SubscribeError),
    /// An event does not become JSON.
    #[error("a hint could not be written")]
    Encode(#[from] serde_json::Error),
}

/// Tells the other processes what was committed. To be called after the commit; waits for no
/// answer.
///
/// # Errors
/// [`HintError`], which is worth a line in the log and no more.
pub async fn publish(client: &async_nats::Client, events: &[FeedEvent]) -> Result<(), HintError> {
    for part in events.chunks(PER_MESSAGE) {
        let body = serde_json::to_vec(part)?;
        client.publish(SUBJECT, body.into()).await?;
    }
    Ok(())
}

/// Feeds the engine with what other processes tell, until `stop` is called. The subscription
/// outlives reconnects.
///
/// # Errors
/// [`HintError::Subscribe`] if the client has been closed.
pub async fn listen(
    client: async_nats::Client,
    engine: Arc<Engine>,
    stop: CancellationToken,
) -> Result<(), HintError> {
    loop {
        let mut messages = client.subscribe(SUBJECT).await?;
        loop {
            let message = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                message = messages.next() => message,
            };
            match message {
                Some(message) => heed(&engine, &message.payload),
                // The stream of a living client ends only if the subscription was lost.
                None => break,
            }
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(engine.config.proof_interval) => {}
        }
    }
}

/// Takes in one message.
fn heed(engine: &Engine, payload: &[u8]) {
    match serde_json::from_slice::<Vec<FeedEvent>>(payload) {
        Ok(events) => events.iter().for_each(|event| engine.hint(event)),
        Err(error) => tracing::debug!(%error, "a hint cannot be read"),
    }
}
