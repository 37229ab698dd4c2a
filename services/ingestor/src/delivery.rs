//! A message as it arrived, and what could be made of it.

use bytes::Bytes;
use tollkeeper_usage::message::{Origin, source_of};
use tollkeeper_usage::wire::{Batch, BatchError, BatchHeader, BatchKind};
use uuid::Uuid;

/// One message.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The subject it was published on.
    pub subject: String,
    /// Its bytes, for the dead letters.
    pub payload: Bytes,
    /// What it says.
    pub content: Content,
    /// Where it says that it comes from.
    pub origin: Origin,
}

/// What a message says.
#[derive(Debug, Clone)]
pub enum Content {
    /// Events to be counted.
    Events(Batch),
    /// The final number of a source.
    Close {
        /// The source.
        source: Uuid,
        /// Its final number.
        last: u64,
    },
    /// Events that were dropped.
    Dropped {
        /// The source.
        source: Uuid,
        /// The number of the first one.
        first: u64,
        /// The number of the last one.
        last: u64,
    },
    /// Nothing that can be understood.
    Broken {
        /// The range it stood for, where the header could be read.
        header: Option<BatchHeader>,
        /// What is wrong.
        detail: String,
    },
}

impl Delivery {
    /// Reads a message. Never fails: what cannot be read is [`Content::Broken`].
    #[must_use]
    pub fn read(subject: &str, payload: Bytes) -> Self {
        let content = match Batch::read(payload.clone()) {
            // The subject is what the broker's permissions are about, so it decides whose range a
            // message may speak for.
            Ok(batch) if source_of(subject) != Some(batch.header().source) => Content::Broken {
                header: None,
                detail: "the subject names another source than the batch".to_owned(),
            },
            Ok(batch) => {
                let BatchHeader {
                    kind,
                    source,
                    first,
                    last,
                } = batch.header();
                match kind {
                    BatchKind::Events => Content::Events(batch),
                    BatchKind::Close => Content::Close { source, last },
                    BatchKind::Dropped => Content::Dropped {
                        source,
                        first,
                        last,
                    },
                }
            }
            Err(error) => Content::Broken {
                detail: error.to_string(),
                header: match error {
                    BatchError::Body { header, .. } => Some(header)
                        .filter(|header| header.kind == BatchKind::Events)
                        .filter(|header| source_of(subject) == Some(header.source)),
                    BatchError::Header(_) => None,
                },
            },
        };
        Self {
            subject: subject.to_owned(),
            payload,
            content,
            origin: Origin::default(),
        }
    }

    /// The same with what its headers say.
    #[must_use]
    pub fn from_origin(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// The source whose ledger it touches.
    #[must_use]
    pub fn source(&self) -> Option<Uuid> {
        match &self.content {
            Content::Events(batch) => Some(batch.header().source),
            Content::Close { source, .. } | Content::Dropped { source, .. } => Some(*source),
            Content::Broken { header, .. } => header.map(|header| header.source),
        }
    }

    /// How many events it carries.
    #[must_use]
    pub fn events(&self) -> usize {
        match &self.content {
            Content::Events(batch) => batch.header().len(),
            Content::Close { .. } | Content::Dropped { .. } | Content::Broken { .. } => 0,
        }
    }
}
