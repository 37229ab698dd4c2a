//! `GET /v1/events`

use std::pin::pin;
use std::time::Duration;

use crate::openapi::errors::{Guarded, TooManyWaiting};
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::sleep;
use tollkeeper_domain::event::TYPES;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_event_store::{FeedFilter, FeedPage, feed};
use tollkeeper_read_model::Reach;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::news::PACE;
use super::places::{Full, Holder, SHARE};
use crate::app::App;
use crate::caller::{Allowed, EventsRead};
use crate::commands::CommandError;
use crate::http::page::limit;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::public_event::{EventType, PublicEvent, public};

/// Where it is served: the one request that may take longer than others.
pub(crate) const PATH: &str = "/v1/events";

/// The longest that a caller may wait for news, in seconds.
pub(crate) const LONGEST_WAIT: u64 = 30;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Only those after this position; 0, the beginning, if it is not given.
    #[serde(default)]
    #[param(minimum = 0, default = 0)]
    after: i64,
    /// Only those of this account and its tokens.
    account_id: Option<Uuid>,
    /// Only those of these types, with commas between them.
    #[param(value_type = Vec<EventType>, style = Form, explode = false, required = false, min_items = 1)]
    r#type: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// How long to wait for an event if there is none yet.
    #[serde(default)]
    #[param(minimum = 0, maximum = 30, default = 0)]
    wait_seconds: u64,
}

/// Some events and where to go on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Feed {
    /// In the one order of all events.
    #[schema(value_type = Vec<PublicEvent<'_>>)]
    items: Vec<Value>,
    /// Give it as `after` to get what follows. It moves on even where nothing was found.
    #[schema(minimum = 0)]
    next_after: i64,
    /// Whether the log is known to go on beyond it.
    has_more: bool,
}

/// The events of all, or of the caller's account, in the one order of the log: 200, 400 for a
/// position that the log has not reached, 429 while too many of the holder's wait, 503 while too many
/// wait in all.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "History",
    operation_id = "listEvents",
    summary = "Follow what happens",
    description = "The events of all accounts, or of the caller's own, in the one order of the log. \
        Keep `next_after` and give it as `after` to go on where you were; with `wait_seconds` the \
        answer comes as soon as there is something.",
    params(Query),
    responses(
        (status = 200, description = "Some events", body = Feed),
        Guarded<EventsRead>,
        TooManyWaiting,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<EventsRead>,
    Parameters(query): Parameters<Query>,
) -> Result<impl IntoResponse, Problem> {
    let (filter, patience) = read(&allowed, &query)?;
    let Some(filter) = filter else {
        // An account that is not the caller's has no events as far as the caller can tell.
        return Ok(Json(Feed {
            items: Vec::new(),
            next_after: query.after,
            has_more: false,
        }));
    };
    let mut page = next(&app, &filter).await?;
    if page.events.is_empty() && page.examined >= page.head && !patience.is_zero() {
        let holder = Holder::of(&allowed.caller);
        page = wait(&app, holder, filter, page, patience).await?;
    }
    let items: Result<Vec<Value>, _> = page.events.iter().map(public).collect();
    Ok(Json(Feed {
        items: items.map_err(Problem::internal)?,
        next_after: page.examined,
        has_more: page.examined < page.head,
    }))
}

/// What is asked for, and how long to wait for it. No filter where nothing can be found.
fn read(
    allowed: &Allowed<EventsRead>,
    query: &Query,
) -> Result<(Option<FeedFilter>, Duration), Problem> {
    let bad = |detail: String| Problem::bad_request("INVALID_QUERY", detail);
    if query.after < 0 {
        return Err(bad("`after` is a position: 0 or more".to_owned()));
    }
    if query.wait_seconds > LONGEST_WAIT {
        return Err(bad(format!("`wait_seconds` is 0 to {LONGEST_WAIT}")));
    }
    let types: Vec<String> = match &query.r#type {
        Some(list) => list.split(',').map(|name| name.trim().to_owned()).collect(),
        None => Vec::new(),
    };
    let known = |name: &&String| TYPES.iter().any(|(known, _)| known == name);
    if !types.iter().all(|name| known(&name)) {
        return Err(bad(
            "`type` holds a type of event that there is not".to_owned()
        ));
    }
    let asked = query.account_id.map(AccountId);
    let account = match (asked, allowed.reach) {
        (Some(asked), reach) if !reach.includes(asked) => {
            return Ok((None, Duration::ZERO));
        }
        (Some(asked), _) => Some(asked),
        (None, Reach::Account(own)) => Some(own),
        (None, Reach::All) => None,
    };
    let filter = FeedFilter {
        account,
        types,
        after: query.after,
        limit: limit(query.limit)?,
    };
    Ok((Some(filter), Duration::from_secs(query.wait_seconds)))
}

async fn next(app: &App, filter: &FeedFilter) -> Result<FeedPage, Problem> {
    let page = feed(&app.pool, filter).await.map_err(CommandError::from)?;
    if filter.after > page.head {
        let detail = format!(
            "`after` lies beyond the end of the log, which is {}",
            page.head
        );
        return Err(Problem::bad_request("INVALID_QUERY", detail));
    }
    Ok(page)
}

/// Waits for an event that was asked for, for `patience` at most. The database is looked at again
/// when there is news, or the last look did not come to the end, and never faster than the pace.
async fn wait(
    app: &App,
    holder: Holder,
    mut filter: FeedFilter,
    mut page: FeedPage,
    patience: Duration,
) -> Result<FeedPage, Problem> {
    let mut listener = app.news.listen(holder).map_err(|full| match full {
        Full::Share => Problem::too_many_waiting(SHARE),
        Full::All => Problem::known_unavailable(),
    })?;
    let mut patience = pin!(sleep(patience));
    while page.events.is_empty() {
        filter.after = page.examined;
        let pause = sleep(PACE);
        let worth_a_look = async {
            if page.examined >= page.head {
                listener.news(&mut filter).await;
            }
        };
        let over = tokio::select! {
            biased;
            () = &mut patience => true,
            () = app.news.over() => true,
            () = worth_a_look => false,
        };
        if over {
            // Nothing that was asked for stands in what was passed over.
            page.examined = filter.after;
            page.head = page.head.max(filter.after);
            break;
        }
        pause.await;
        let _turn = app.news.turn().await;
        page = next(app, &filter).await?;
    }
    Ok(page)
}
