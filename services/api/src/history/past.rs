//! Tokens as they were, folded from the events that were recorded by then. Usage is not a matter of
//! the log, so a past token has none.

use chrono::{DateTime, Utc};
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::token::Token;
use tollkeeper_event_store::{StoredEvent, load_tokens_until};
use tollkeeper_read_model::tokens::{TokenFilter, ids};
use tollkeeper_read_model::{Reach, replay};

use crate::app::App;
use crate::commands::CommandError;
use crate::http::problem::Problem;

/// How many tokens are folded at a time, and how many one page may look at.
const CHUNK: i64 = 200;
const EXAMINED: usize = 2000;

/// Some tokens as they were, and where to go on if there may be more.
pub(crate) struct PastPage {
    pub(crate) tokens: Vec<Token>,
    pub(crate) next: Option<TokenId>,
}

/// Takes a moment that has been.
///
/// # Errors
/// 400 for one that is still to come: nobody knows what will be.
pub(crate) fn moment(app: &App, asked: DateTime<Utc>) -> Result<DateTime<Utc>, Problem> {
    if asked > app.now() {
        let detail = "`as_of` lies in the future";
        Err(Problem::bad_request("INVALID_QUERY", detail))
    } else {
        Ok(asked)
    }
}

/// The token as it was, if it was there and is within reach.
pub(crate) async fn token(
    app: &App,
    reach: Reach,
    id: TokenId,
    as_of: DateTime<Utc>,
) -> Result<Option<Token>, Problem> {
    let events = load_tokens_until(&app.pool, &[id.0], as_of).await;
    let token = replay::token(&events.map_err(CommandError::from)?).map_err(CommandError::from)?;
    Ok(token.filter(|token| reach.includes(token.account_id)))
}

/// A page of the tokens that were there and as the filter wants them, from the newest to the
/// oldest. It may hold fewer than there is room for, because it looks at a bounded number.
pub(crate) async fn list(
    app: &App,
    reach: Reach,
    filter: &TokenFilter,
    as_of: DateTime<Utc>,
) -> Result<PastPage, Problem> {
    let room = usize::try_from(filter.limit).unwrap_or(0);
    let mut before = filter.before;
    let (mut tokens, mut examined) = (Vec::new(), 0);
    while examined < EXAMINED {
        let candidates = ids(&app.pool, reach, before, CHUNK).await?;
        let Some(last) = candidates.last().copied() else {
            return Ok(PastPage { tokens, next: None });
        };
        let ids: Vec<_> = candidates.iter().map(|id| id.0).collect();
        let events = load_tokens_until(&app.pool, &ids, as_of).await;
        let mut folded = fold(&events.map_err(CommandError::from)?)?;
        // As the candidates are: from the newest to the oldest.
        folded.sort_by_key(|token| std::cmp::Reverse(token.id));
        for token in folded
            .into_iter()
            .filter(|token| filter.matches(token, as_of))
        {
            if tokens.len() == room {
                let next = tokens.last().map(|token: &Token| token.id);
                return Ok(PastPage { tokens, next });
            }
            tokens.push(token);
        }
        examined += ids.len();
        before = Some(last);
    }
    Ok(PastPage {
        tokens,
        next: before,
    })
}

/// The tokens of these events, which stand stream by stream.
fn fold(events: &[StoredEvent]) -> Result<Vec<Token>, CommandError> {
    let streams = events.chunk_by(|left, right| left.stream == right.stream);
    let tokens = streams.map(|events| replay::token(events).map_err(CommandError::from));
    let tokens: Vec<_> = tokens.collect::<Result<_, _>>()?;
    Ok(tokens.into_iter().flatten().collect())
}
