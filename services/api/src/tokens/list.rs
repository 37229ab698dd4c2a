//! `GET /v1/tokens`

use crate::openapi::errors::Guarded;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::Status;
use tollkeeper_read_model::tokens::{self, Period, TokenFilter, TokenRow, Window};
use utoipa::IntoParams;
use uuid::Uuid;

use super::filter::{self, BadFilter};
use super::order::Order;
use super::view::TokenView;
use crate::app::App;
use crate::caller::{Allowed, TokensRead};
use crate::history::past;
use crate::http::page::{Page, TOKENS, size};
use crate::http::problem::Problem;
use crate::http::query::Parameters;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Only those of this account.
    account_id: Option<Uuid>,
    /// Only those in this state.
    state: Option<Status>,
    /// Only those for this environment.
    environment: Option<Environment>,
    /// Only those that hold exactly this scope.
    #[param(pattern = r"^[^\x00]*$")]
    scope: Option<String>,
    /// Only those whose `token_prefix` begins so.
    #[param(pattern = r"^[^\x00]*$")]
    prefix: Option<String>,
    /// Only those whose name holds this, whatever the case.
    #[param(pattern = r"^[^\x00]*$")]
    search: Option<String>,
    /// Only those that were issued with this token.
    issued_by: Option<Uuid>,
    /// Only those created then or later.
    created_after: Option<DateTime<Utc>>,
    /// Only those created before.
    created_before: Option<DateTime<Utc>>,
    /// Only those last let through then or later. Not of the past.
    last_used_after: Option<DateTime<Utc>>,
    /// Only those last let through before; none that never was. Not of the past.
    last_used_before: Option<DateTime<Utc>>,
    /// Only those that expire then or later; none that never does.
    expires_after: Option<DateTime<Utc>>,
    /// Only those that expire before; none that never does.
    expires_before: Option<DateTime<Utc>>,
    /// With `true`, only those never let through; with `false`, only those that were. Not of the past.
    never_used: Option<bool>,
    /// Only those that were neither let through nor issued then or later. Not of the past.
    unused_since: Option<DateTime<Utc>>,
    /// Those that there were at this moment, as they were then.
    as_of: Option<DateTime<Utc>>,
    /// By what they are sorted, with a `-` from the last to the first; `-created_at` if it is not given.
    /// Of the past, that alone.
    #[serde(default)]
    #[param(inline)]
    sort: Order,
    /// The `next_cursor` of the page before, with the same `sort`.
    #[param(pattern = "^[A-Za-z0-9_-]{27,}$")]
    cursor: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

impl From<Query> for TokenFilter {
    fn from(query: Query) -> Self {
        Self {
            account: query.account_id.map(AccountId),
            state: query.state,
            environment: query.environment,
            scope: query.scope,
            prefix: query.prefix,
            search: query.search,
            issued_by: query.issued_by.map(Into::into),
            created: Period {
                after: query.created_after,
                before: query.created_before,
            },
            last_used: Period {
                after: query.last_used_after,
                before: query.last_used_before,
            },
            expires: Period {
                after: query.expires_after,
                before: query.expires_before,
            },
            never_used: query.never_used,
            unused_since: query.unused_since,
        }
    }
}

/// A page of tokens, the newest first or as asked for: 200. It looks at a bounded number of tokens, so that it can
/// come back short where what is asked for is neither common nor found by an index.
#[utoipa::path(
    get,
    path = "/v1/tokens",
    tag = "Tokens",
    operation_id = "listTokens",
    summary = "List tokens",
    description = "Those that fulfil every filter that is given, from the newest to the oldest if no \
        other `sort` is. What is alike is sorted by id in the same direction, and what never expires or \
        was never used comes last in both. Among many tokens, those last used in the same hour count as \
        alike. A period begins with its `_after` and ends before its `_before`. Without the scope to see \
        all, a caller sees the tokens of its own account. A page looks at a bounded number of tokens: it \
        can hold fewer than asked for, or none, and yet have a `next_cursor`.",
    params(Query),
    responses(
        (
            status = 200,
            description = "A page of tokens",
            body = Page<TokenView>,
        ),
        Guarded<TokensRead>,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensRead>,
    Parameters(query): Parameters<Query>,
) -> Result<impl IntoResponse, Problem> {
    let limit = size(query.limit)?;
    let (order, cursor) = (query.sort, query.cursor.clone());
    let as_of = match query.as_of {
        Some(asked) => Some(past::moment(&app, "as_of", asked).await?),
        None => None,
    };
    let filter = TokenFilter::from(query);
    let mut bad = filter::check(&filter);
    if as_of.is_some() {
        bad.extend(filter::of_usage(&filter));
        bad.extend(order.is_of_today());
    }
    refuse(&bad)?;
    if order != Order::default() {
        let after = order.place(cursor.as_deref())?;
        let asked = order.asked(after, limit);
        let mut db = app.pool.acquire().await?;
        let page = tokens::sorted(&mut db, allowed.reach, &filter, &asked, app.now()).await?;
        let next = page.next.map(|place| order.cursor(&place));
        return Ok(Json(Page::with_next(views(page.rows), next)));
    }
    let window = Window {
        before: order.newest_before(cursor.as_deref())?,
        limit,
    };
    if let Some(as_of) = as_of {
        let page = past::list(&app, allowed.reach, &filter, window, as_of).await?;
        let tokens = page.tokens.into_iter();
        let views = tokens.map(|token| TokenView::past(token, as_of)).collect();
        let next = page.next.map(|id| id.0);
        return Ok(Json(Page::going_on(&TOKENS, views, next)));
    }
    let mut db = app.pool.acquire().await?;
    let page = tokens::list(&mut db, allowed.reach, &filter, window, app.now()).await?;
    let next = page.next.map(|id| id.0);
    Ok(Json(Page::going_on(&TOKENS, views(page.rows), next)))
}

fn views(rows: Vec<TokenRow>) -> Vec<TokenView> {
    rows.into_iter().map(TokenView::from).collect()
}

fn refuse(bad: &[BadFilter]) -> Result<(), Problem> {
    if bad.is_empty() {
        return Ok(());
    }
    let named = bad.iter().map(|it| format!("`{}` {}", it.name, it.why));
    let named = named.collect::<Vec<_>>().join("; ");
    let detail = format!("the query cannot be accepted: {named}");
    Err(Problem::bad_request("INVALID_QUERY", detail))
}
