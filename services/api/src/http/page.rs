//! Lists come in pages, from the newest to the oldest. The cursor is opaque to clients.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::problem::Problem;

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// From the newest to the oldest.
    items: Vec<T>,
    /// Give it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page without anything, and the last one.
    pub(crate) const fn empty() -> Self {
        Self {
            items: Vec::new(),
            next_cursor: None,
        }
    }

    /// A page after which the list goes on behind `last`, if that is given.
    pub(crate) fn going_on(items: Vec<T>, last: Option<Uuid>) -> Self {
        let next_cursor = last.map(|id| URL_SAFE_NO_PAD.encode(id.as_bytes()));
        Self { items, next_cursor }
    }

    /// A page from one row more than `limit`, which shows whether anything follows.
    pub(crate) fn of<R>(
        mut rows: Vec<R>,
        limit: i64,
        id: impl Fn(&R) -> Uuid,
        view: impl Fn(R) -> T,
    ) -> Self {
        let next_cursor = next_cursor(&mut rows, limit, id);
        Self {
            items: rows.into_iter().map(view).collect(),
            next_cursor,
        }
    }
}

/// Takes what is more than `limit` from the rows and tells where they go on.
pub(crate) fn next_cursor<R>(
    rows: &mut Vec<R>,
    limit: i64,
    id: impl Fn(&R) -> Uuid,
) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or(0);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| more);
    last.map(|row| URL_SAFE_NO_PAD.encode(id(row).as_bytes()))
}

/// The id that the page begins after.
pub(crate) fn cursor(text: Option<&str>) -> Result<Option<Uuid>, Problem> {
    let read = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Uuid::from_slice(&bytes).ok()
    };
    text.map(|text| {
        let bad = || Problem::bad_request("INVALID_QUERY", "`cursor` is none that a page gave");
        read(text).ok_or_else(bad)
    })
    .transpose()
}

/// How many items the page holds.
pub(crate) fn limit(asked: Option<i64>) -> Result<i64, Problem> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        Ok(limit)
    } else {
        let detail = format!("`limit` is 1 to {MAX_LIMIT}");
        Err(Problem::bad_request("INVALID_QUERY", detail))
    }
}
