//! Ids, numbers and names in paths. A text that is no id names nothing, so the answer is that of an unknown id.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use uuid::Uuid;

use super::problem::Problem;

/// The id at the end of the path, or before the operation's name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Id(pub(crate) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(id) = Path::<Uuid>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found("resource"))?;
        Ok(Self(id))
    }
}

/// The number at the end of the path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number(pub(crate) i64);

impl<S: Send + Sync> FromRequestParts<S> for Number {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(number) = Path::<i64>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found("resource"))?;
        Ok(Self(number))
    }
}

/// The text at the end of the path.
#[derive(Clone)]
pub(crate) struct Text(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Text {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found("resource"))?;
        Ok(Self(text))
    }
}

/// The id of something, and the name of one of what it has many of.
#[derive(Debug, Clone)]
pub(crate) struct IdAndName(pub(crate) Uuid, pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for IdAndName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((id, name)) = Path::<(Uuid, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found("resource"))?;
        Ok(Self(id, name))
    }
}
