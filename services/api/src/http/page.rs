//! Lists come in pages, from the newest to the oldest unless another order is asked for. The cursor is opaque to
//! clients.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tollkeeper_read_model::tokens::Window;
use utoipa::ToSchema;
use uuid::Uuid;

use super::problem::Problem;

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

/// A list, by a name that its cursors are checked with: they lead to no place in another one.
#[derive(Debug)]
pub(crate) struct List(&'static str);

/// Of accounts.
pub(crate) const ACCOUNTS: List = List("accounts");
/// Of tokens.
pub(crate) const TOKENS: List = List("tokens");
/// Of webhooks.
pub(crate) const WEBHOOKS: List = List("webhooks");

/// Of the sources of usage.
pub(crate) const SOURCES: List = List("sources");

impl List {
    /// The id, and a checksum that finds what was damaged or comes from another list.
    fn cursor(&self, last: Uuid) -> String {
        let sum = Sha256::new()
            .chain_update(self.0)
            .chain_update(last)
            .finalize();
        let bytes: Vec<u8> = last.as_bytes().iter().chain(&sum[..4]).copied().collect();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn read(&self, cursor: &str) -> Option<Uuid> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let id = Uuid::from_slice(bytes.get(..16)?).ok()?;
        (self.cursor(id) == cursor).then_some(id)
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// From the newest to the oldest, or in the order that was asked for.
    items: Vec<T>,
    /// Give it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page after which the list goes on behind `last`, if that is given.
    pub(crate) fn going_on(list: &List, items: Vec<T>, last: Option<Uuid>) -> Self {
        Self::with_next(items, next_cursor(list, last))
    }

    /// A page after which the list goes on with this cursor, if there is one.
    pub(crate) const fn with_next(items: Vec<T>, next_cursor: Option<String>) -> Self {
        Self { items, next_cursor }
    }

    /// A page from one row more than `limit`, which shows whether anything follows.
    pub(crate) fn of<R>(
        list: &List,
        mut rows: Vec<R>,
        limit: i64,
        id: impl Fn(&R) -> Uuid,
        view: impl Fn(R) -> T,
    ) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more).map(id);
        Self::going_on(list, rows.into_iter().map(view).collect(), last)
    }
}

/// The cursor to what follows on `last`.
pub(crate) fn next_cursor(list: &List, last: Option<Uuid>) -> Option<String> {
    last.map(|id| list.cursor(id))
}

/// The id that the page begins after.
pub(crate) fn cursor(list: &List, text: Option<&str>) -> Result<Option<Uuid>, Problem> {
    text.map(|text| {
        let bad = || Problem::bad_request("INVALID_QUERY", "`cursor` is none of this list");
        list.read(text).ok_or_else(bad)
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

/// The same, to count with.
pub(crate) fn size(asked: Option<i64>) -> Result<usize, Problem> {
    limit(asked).map(|limit| usize::try_from(limit).unwrap_or(0))
}

/// Which tokens of the list the page holds.
pub(crate) fn window(at: Option<&str>, asked: Option<i64>) -> Result<Window, Problem> {
    Ok(Window {
        before: cursor(&TOKENS, at)?.map(Into::into),
        limit: size(asked)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_list_alone(id in any::<u128>()) {
            let id = Uuid::from_u128(id);
            let text = TOKENS.cursor(id);
            prop_assert_eq!(cursor(&TOKENS, Some(&text)).unwrap(), Some(id));
            prop_assert!(cursor(&ACCOUNTS, Some(&text)).is_err());
            prop_assert!(cursor(&WEBHOOKS, Some(&text)).is_err());
        }

        #[test]
        fn a_damaged_cursor_leads_nowhere(
            id in any::<u128>(),
            place in 0..27_usize,
            other in "[A-Za-z0-9_-]",
        ) {
            let text = TOKENS.cursor(Uuid::from_u128(id));
            prop_assert_eq!(text.len(), 27);
            prop_assert!(cursor(&TOKENS, Some(&text[..place])).is_err());
            let mut damaged = text.clone();
            damaged.replace_range(place..=place, &other);
            prop_assert!(damaged == text || cursor(&TOKENS, Some(&damaged)).is_err());
        }

        #[test]
        fn any_text_is_a_cursor_in_one_way_or_none(text in "\\PC{0,30}|[A-Za-z0-9_-]{27}") {
            if let Ok(Some(id)) = cursor(&TOKENS, Some(&text)) {
                prop_assert_eq!(TOKENS.cursor(id), text);
            }
        }
    }
}
