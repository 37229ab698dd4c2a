//! The server's side: reading and writing one stream or consumer.

use async_nats::jetstream::consumer::{self, Consumer};
use async_nats::jetstream::stream::ConsumerError;
use async_nats::jetstream::{Context, ErrorCode, context};
use serde_json::{Map, Value};

use super::definitions::{Definition, fields};

#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoteError {
    #[error(transparent)]
    GetStream(#[from] context::GetStreamError),

    #[error(transparent)]
    PutStream(#[from] context::CreateStreamError),

    #[error(transparent)]
    GetConsumer(#[from] context::ConsumerInfoError),

    #[error(transparent)]
    PutConsumer(#[from] ConsumerError),

    #[error("the answer cannot be understood: {0}")]
    Form(#[from] serde_json::Error),
}

/// What the server has, if it has it.
pub(super) async fn get(
    jetstream: &Context,
    definition: &Definition,
) -> Result<Option<Map<String, Value>>, RemoteError> {
    match definition {
        Definition::Stream { config, .. } => match jetstream.get_stream(&config.name).await {
            Ok(stream) => Ok(Some(fields(&stream.cached_info().config)?)),
            Err(error) if is_absent(error.kind()) => Ok(None),
            Err(error) => Err(error.into()),
        },
        Definition::Consumer { stream, config, .. } => {
            let name = config.durable_name.as_deref().unwrap_or_default();
            get_consumer(jetstream, stream, name).await
        }
    }
}

/// Creates or changes it.
pub(super) async fn put(jetstream: &Context, definition: &Definition) -> Result<(), RemoteError> {
    match definition {
        Definition::Stream { config, .. } => {
            jetstream
                .create_or_update_stream(config.as_ref().clone())
                .await?;
        }
        Definition::Consumer { stream, config, .. } => {
            let stream = jetstream.get_stream(stream).await?;
            let _: Consumer<consumer::pull::Config> =
                stream.create_consumer(config.as_ref().clone()).await?;
        }
    }
    Ok(())
}

async fn get_consumer(
    jetstream: &Context,
    stream: &str,
    name: &str,
) -> Result<Option<Map<String, Value>>, RemoteError> {
    let stream = match jetstream.get_stream(stream).await {
        Ok(stream) => stream,
        Err(error) if is_absent(error.kind()) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match stream.consumer_info(name).await {
        Ok(info) => Ok(Some(fields(&info.config)?)),
        Err(error) if error.kind() == context::ConsumerInfoErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_absent(kind: context::GetStreamErrorKind) -> bool {
    matches!(
        kind,
        context::GetStreamErrorKind::JetStream(error)
            if error.error_code() == ErrorCode::STREAM_NOT_FOUND
    )
}
