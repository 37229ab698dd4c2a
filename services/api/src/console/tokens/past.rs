//! A token as it was, and what has become of it since.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::event::Detail;
use super::token::{self, Token};
use super::values::{label, value};
use crate::console::api::Api;
use crate::console::stop::Stop;

#[derive(Debug, Serialize)]
struct Then {
    as_of: String,
}

#[derive(Debug, Serialize)]
struct Between {
    from: String,
}

/// What differs between two points of a token's history.
#[derive(Debug, Deserialize)]
struct Diff {
    changes: Vec<Change>,
}

#[derive(Debug, Deserialize)]
struct Change {
    field: String,
    from: Value,
    to: Value,
}

/// The token as it was at `at`, and what is not as it was then.
///
/// # Errors
/// What the API refuses: also a moment before there was the token, or in the future.
pub(super) async fn read(
    api: &Api,
    id: Uuid,
    at: DateTime<Utc>,
) -> Result<(Token, Vec<Detail>), Stop> {
    let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let path = token::path(id);
    let then = Then { as_of: at.clone() };
    let token: Token = api.get(&path, &then).await?;
    Ok((token, since(api, id, at).await?))
}

/// What is not as it was at a moment or in a version.
///
/// # Errors
/// What the API refuses.
pub(super) async fn since(api: &Api, id: Uuid, from: String) -> Result<Vec<Detail>, Stop> {
    let path = format!("{}/diff", token::path(id));
    let diff: Diff = api.get(&path, &Between { from }).await?;
    // That it is not active is told by its state.
    let told = diff
        .changes
        .into_iter()
        .filter(|it| it.field != "is_active");
    let detail = |change: Change| Detail {
        label: label(&change.field).to_owned(),
        before: Some(value(&change.field, &change.from)),
        after: value(&change.field, &change.to),
    };
    Ok(told.map(detail).collect())
}
