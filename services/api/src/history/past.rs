//! Tokens as they were, folded from the events that were recorded by then. Usage is not a matter of
//! the log, so a past token has none.

use std::collections::BTreeMap;
use std::pin::pin;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use futures::{Stream, TryStreamExt};
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::token::Token;
use tollkeeper_event_store::{ReadError, StoredEvent, now, tokens_until};
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::replay::World;
use tollkeeper_read_model::tokens::{TokenFilter, Window, ids};

use crate::app::App;
use crate::commands::CommandError;
use crate::http::problem::Problem;

/// How many tokens are folded at a time, and how many one page may look at.
const CHUNK: i64 = 200;
const EXAMINED: usize = 2000;

/// How far the clocks that ids are made by may be ahead of the database's.
const SKEW: TimeDelta = TimeDelta::days(1);

/// Some tokens as they were, and where to go on if there may be more.
pub(crate) struct PastPage {
    pub(crate) tokens: Vec<Token>,
    pub(crate) next: Option<TokenId>,
}

/// Takes a moment that has been, by the clock that events are recorded by.
///
/// # Errors
/// 400 for one that is still to come, because nobody knows what will be, and for years that no event
/// can be of and the database need not know.
pub(crate) async fn moment(
    app: &App,
    parameter: &str,
    asked: DateTime<Utc>,
) -> Result<DateTime<Utc>, Problem> {
    let bad = |what| Problem::bad_request("INVALID_QUERY", format!("`{parameter}` {what}"));
    if !(1970..=9999).contains(&asked.year()) {
        return Err(bad("is a time of the years 1970 to 9999"));
    }
    if asked > now(&app.pool).await.map_err(CommandError::from)? {
        return Err(bad("lies in the future"));
    }
    Ok(asked)
}

/// The token as it was, if it was there and is within reach.
pub(crate) async fn token(
    app: &App,
    reach: Reach,
    id: TokenId,
    as_of: DateTime<Utc>,
) -> Result<Option<Token>, Problem> {
    let mut folded = fold(tokens_until(&app.pool, &[id.0], as_of)).await?;
    let token = folded.remove(&id);
    Ok(token.filter(|token| reach.includes(token.account_id)))
}

/// A page of the tokens that were there and as the filter wants them, from the newest to the
/// oldest. It may hold fewer than there is room for, because it looks at a bounded number.
pub(crate) async fn list(
    app: &App,
    reach: Reach,
    filter: &TokenFilter,
    window: Window,
    as_of: DateTime<Utc>,
) -> Result<PastPage, Problem> {
    let end = end_of_ids(as_of);
    let mut before = window.before.map_or(end, |before| before.min(end));
    let (mut tokens, mut examined) = (Vec::new(), 0);
    while examined < EXAMINED {
        let candidates = ids(&app.pool, reach, filter, Some(before), CHUNK).await?;
        let Some(last) = candidates.last().copied() else {
            return Ok(PastPage { tokens, next: None });
        };
        let ids: Vec<_> = candidates.iter().map(|id| id.0).collect();
        let folded = fold(tokens_until(&app.pool, &ids, as_of)).await?;
        // As the candidates are: from the newest to the oldest.
        let folded = folded.into_values().rev();
        for token in folded.filter(|token| filter.matches(token, as_of)) {
            if tokens.len() == window.limit {
                let next = tokens.last().map(|token: &Token| token.id);
                return Ok(PastPage { tokens, next });
            }
            tokens.push(token);
        }
        examined += ids.len();
        before = last;
    }
    Ok(PastPage {
        tokens,
        next: Some(before),
    })
}

/// An id beyond those of all tokens that were recorded by then, so that a list of long ago need not
/// look through all that came after. Every id, that of an imported token too, is a UUIDv7 of the
/// moment at which this service made it. That is before the token is recorded, but by another
/// clock: where it is ahead, the id is younger than the record.
fn end_of_ids(as_of: DateTime<Utc>) -> TokenId {
    let end = as_of.checked_add_signed(SKEW).unwrap_or(as_of);
    let millis = u64::try_from(end.timestamp_millis()).unwrap_or(0);
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &[u8::MAX; 10]);
    TokenId(id.into_uuid())
}

/// The tokens of these events, one event at a time: of a history no more is kept than what it comes
/// to.
async fn fold(
    events: impl Stream<Item = Result<StoredEvent, ReadError>>,
) -> Result<BTreeMap<TokenId, Token>, CommandError> {
    let mut world = World::default();
    let mut events = pin!(events);
    while let Some(event) = events.try_next().await? {
        world.apply(&event)?;
    }
    Ok(world.tokens)
}

#[cfg(test)]
mod tests {
    use tollkeeper_ambient::{Entropy, SystemEntropy};

    use super::*;

    #[test]
    fn no_token_that_was_recorded_by_then_lies_beyond_the_end() {
        let as_of: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
        let end = end_of_ids(as_of);
        let made = |ahead| TokenId(SystemEntropy.uuid_v7(as_of + ahead));
        // By a clock that is ahead of the one that records.
        assert!(made(TimeDelta::zero()) < end);
        assert!(made(TimeDelta::hours(23)) < end);
        assert!(made(TimeDelta::hours(25)) > end);
        let last: DateTime<Utc> = "9999-12-31T23:59:59Z".parse().unwrap();
        assert!(end_of_ids(last) > end);
    }
}
