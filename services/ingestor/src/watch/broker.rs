//! What the broker holds of usage.

use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream;
use async_nats::jetstream::consumer::pull::Config;
use tokio_util::sync::CancellationToken;
use tollkeeper_telemetry::usage::{
    CONSUMER_ACK_PENDING, CONSUMER_PENDING, CONSUMER_REDELIVERED, STREAM_BYTES, STREAM_MAX_BYTES,
};
use tollkeeper_usage::message::{CONSUMER, STREAM};

const EVERY: Duration = Duration::from_secs(10);

/// Between two looks at whether there is a connection.
const GLANCE: Duration = Duration::from_millis(100);

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(5);

/// Watches the stream of usage and its consumer until `stop`.
pub async fn watch_broker(client: async_nats::Client, stop: CancellationToken) {
    // The first connection takes its time, and that is no failure.
    while client.connection_state() == State::Pending {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(GLANCE) => {}
        }
    }
    super::watch("nats", EVERY, stop, || read(&client)).await;
}

async fn read(client: &async_nats::Client) -> Result<(), async_nats::Error> {
    // The client would keep the question until there is a connection.
    if client.connection_state() != State::Connected {
        return Err("there is no connection".into());
    }
    tokio::time::timeout(PATIENCE, ask(client)).await?
}

async fn ask(client: &async_nats::Client) -> Result<(), async_nats::Error> {
    let jetstream = jetstream::new(client.clone());
    let stream = jetstream.get_stream(STREAM).await?;
    let info = stream.cached_info();
    STREAM_BYTES.handle().set(info.state.bytes as f64);
    // No bound is a negative one.
    let most = info.config.max_bytes.max(0);
    STREAM_MAX_BYTES.handle().set(most as f64);
    let consumer = stream.get_consumer::<Config>(CONSUMER).await?;
    let info = consumer.cached_info();
    CONSUMER_PENDING.handle().set(info.num_pending as f64);
    CONSUMER_ACK_PENDING
        .handle()
        .set(info.num_ack_pending as f64);
    CONSUMER_REDELIVERED
        .handle()
        .set(info.num_redelivered as f64);
    Ok(())
}
