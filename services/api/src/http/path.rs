//! Ids, numbers and names in paths. A text that is no id names nothing, so the answer is that of an unknown id.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::problem::Problem;

async fn read<T: DeserializeOwned + Send>(
    parts: &mut Parts,
    state: &(impl Send + Sync),
) -> Result<T, Problem> {
    let read = Path::from_request_parts(parts, state).await;
    let Path(read) = read.map_err(|_| Problem::not_found("resource"))?;
    Ok(read)
}

/// The id at the end of the path, or before the operation's name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Id(pub(crate) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        read(parts, state).await.map(Self)
    }
}

/// The number at the end of the path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number(pub(crate) i64);

impl<S: Send + Sync> FromRequestParts<S> for Number {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        read(parts, state).await.map(Self)
    }
}

/// The text at the end of the path.
#[derive(Clone)]
pub(crate) struct Text(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Text {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        read(parts, state).await.map(Self)
    }
}

/// The id of something, and the name of one of what it has many of.
#[derive(Debug, Clone)]
pub(crate) struct IdAndName(pub(crate) Uuid, pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for IdAndName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let (id, name) = read(parts, state).await?;
        Ok(Self(id, name))
    }
}
