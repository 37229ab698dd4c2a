//! `GET /api/tokens`

use crate::openapi::errors::Guarded;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use tollkeeper_domain::token::Status;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::accounts;
use tollkeeper_read_model::tokens::{self, TokenFilter, TokenPage};
use utoipa::{IntoParams, ToSchema};

use super::across_accounts;
use super::view::ServiceTokenView;
use crate::app::App;
use crate::caller::{Allowed, TokensRead};
use crate::http::page::{TOKENS, next_cursor, window};
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::tokens::TokenView;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Only those of this user.
    #[param(pattern = r"^[^\x00]*$")]
    user_id: Option<String>,
    /// Only those in this state.
    state: Option<Status>,
    /// The `nextCursor` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]{26}[AEIMQUYcgkosw048]$")]
    cursor: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UserTokenPage)]
pub(crate) struct ServicePage {
    /// From the newest to the oldest.
    items: Vec<ServiceTokenView>,
    /// Give it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// A page of the tokens of a user, or of all, the newest first: 200.
#[utoipa::path(
    get,
    path = "/api/tokens",
    tag = "Services",
    operation_id = "listTokensOfUser",
    summary = "List the tokens of a user",
    description = "From the newest to the oldest; of all users if none is named. For operators and \
        tokens of system accounts.",
    params(Query),
    responses(
        (status = 200, description = "A page of tokens", body = ServicePage),
        Guarded<TokensRead>,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensRead>,
    Parameters(query): Parameters<Query>,
) -> Result<impl IntoResponse, Problem> {
    across_accounts(&allowed)?;
    let window = window(query.cursor.as_deref(), query.limit)?;
    let account = match &query.user_id {
        None => None,
        Some(user) => {
            let found = accounts::find_by_external_id(&app.pool, allowed.reach, user).await?;
            let Some(row) = found else {
                // A user who never had a token is no error.
                return page(&app, allowed.reach, TokenPage::default()).await;
            };
            Some(row.account.id)
        }
    };
    let filter = TokenFilter {
        account,
        state: query.state,
        ..TokenFilter::default()
    };
    let mut db = app.pool.acquire().await?;
    let found = tokens::list(&mut db, allowed.reach, &filter, window, app.now()).await?;
    drop(db);
    page(&app, allowed.reach, found).await
}

async fn page(app: &App, reach: Reach, found: TokenPage) -> Result<Json<ServicePage>, Problem> {
    let TokenPage { rows, next } = found;
    let ids: Vec<_> = rows.iter().map(|row| row.account_id.into()).collect();
    let names = accounts::external_ids(&app.pool, reach, &ids).await?;
    let items = rows.into_iter().map(|row| {
        let user = names.get(&row.account_id.into()).cloned();
        ServiceTokenView::new(TokenView::from(row), user)
    });
    Ok(Json(ServicePage {
        items: items.collect(),
        next_cursor: next_cursor(&TOKENS, next.map(|id| id.0)),
    }))
}
