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
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::tokens::{self, TokenFilter};
use utoipa::IntoParams;
use uuid::Uuid;

use super::view::TokenView;
use crate::app::App;
use crate::caller::{Allowed, TokensRead};
use crate::history::past;
use crate::http::page::{Page, cursor, limit};
use crate::http::problem::Problem;
use crate::http::query::Parameters;

#[derive(Debug, Deserialize, IntoParams)]
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
    /// Those that there were at this moment, as they were then.
    as_of: Option<DateTime<Utc>>,
    /// The `next_cursor` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]{21}[AQgw]$")]
    cursor: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

/// A page of tokens, the newest first.
#[utoipa::path(
    get,
    path = "/v1/tokens",
    tag = "Tokens",
    operation_id = "listTokens",
    summary = "List tokens",
    description = "From the newest to the oldest. Without the scope to see all, a caller sees the \
        tokens of its own account.",
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
    let limit = limit(query.limit)?;
    let filter = TokenFilter {
        state: query.state,
        environment: query.environment,
        scope: query.scope,
        prefix: query.prefix,
        search: query.search,
        before: cursor(query.cursor.as_deref())?.map(Into::into),
        limit: limit + 1,
    };
    let reach = match query.account_id.map(AccountId) {
        // An account that is not the caller's has no tokens as far as the caller can tell.
        Some(account) if !allowed.reach.includes(account) => return Ok(Json(Page::empty())),
        Some(account) => Reach::Account(account),
        None => allowed.reach,
    };
    if let Some(as_of) = query.as_of {
        let as_of = past::moment(&app, "as_of", as_of).await?;
        let page = past::list(&app, reach, &TokenFilter { limit, ..filter }, as_of).await?;
        let tokens = page.tokens.into_iter();
        let views = tokens.map(|token| TokenView::past(token, as_of)).collect();
        return Ok(Json(Page::going_on(views, page.next.map(|id| id.0))));
    }
    let rows = tokens::list(&app.pool, reach, &filter, app.now()).await?;
    Ok(Json(Page::of(rows, limit, |row| row.id, TokenView::from)))
}
