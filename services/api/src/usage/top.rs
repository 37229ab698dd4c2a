//! `GET /v1/usage/tokens`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tollkeeper_domain::ids::AccountId;
use tollkeeper_read_model::usage::{TopToken, Width, top};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::export::Export;
use super::question::groups;
use super::reading::{self, Reading};
use super::times;
use super::words::By;
use crate::app::App;
use crate::caller::{Allowed, UsageRead};
use crate::http::csv::{Format, Table, number, text};
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::request_id::RequestId;
use crate::openapi::errors::{Guarded, RangeTooLarge};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Only the tokens of this account.
    account_id: Option<Uuid>,
    /// From when on; a day before `to` if it is not given.
    from: Option<DateTime<Utc>>,
    /// Until when; now if it is not given, or lies in the future.
    to: Option<DateTime<Utc>>,
    /// By what they are ordered: requests if it is not given.
    order: Option<By>,
    /// How many at most.
    #[param(minimum = 1, maximum = 50, default = 10)]
    limit: Option<i64>,
    /// How the answer is written.
    #[serde(default)]
    #[param(inline)]
    format: Format,
}

/// The tokens that were used most.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TopTokens, example = json!({
    "from": "2026-03-01T10:00:00Z",
    "to": "2026-03-02T10:00:00Z",
    "as_of": "2026-03-02T09:34:56.789012Z",
    "order": "requests",
    "items": [{
        "token_id": "019aa5d0-5a3c-7bc2-8d1e-0f4b5a6c7d8e",
        "account_id": "019aa5d0-5a3c-7bc2-8d1e-0f4b5a6c7d8f",
        "name": "nightly export",
        "token_prefix": "tk_live_Ab3d",
        "requests": 120,
        "errors": 2,
    }],
}))]
pub(crate) struct Top {
    /// The beginning of what was counted: of an hour, or of a day where the range is long.
    from: DateTime<Utc>,
    /// The end of it.
    to: DateTime<Utc>,
    /// When this was read. Requests count when they have come to the tables, which takes them about
    /// a second: the newest may be missing.
    as_of: DateTime<Utc>,
    order: By,
    /// Those that were used at all, the largest first.
    items: Vec<Item>,
}

/// A token and its use.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TopToken)]
struct Item {
    token_id: Uuid,
    /// Null, like the name and the prefix, where nothing is known of the token but its use.
    #[schema(required)]
    account_id: Option<Uuid>,
    #[schema(required)]
    name: Option<String>,
    #[schema(required)]
    token_prefix: Option<String>,
    #[schema(minimum = 0)]
    requests: i64,
    /// How many of them were refused, or answered with a status of 400 or above.
    #[schema(minimum = 0)]
    errors: i64,
}

impl From<TopToken> for Item {
    fn from(token: TopToken) -> Self {
        Self {
            token_id: token.token_id,
            account_id: token.account_id,
            name: token.name,
            token_prefix: token.token_prefix,
            requests: token.requests,
            errors: token.errors,
        }
    }
}

/// The tokens that were used most in a time: 200, 400 for what cannot be asked or is too much.
#[utoipa::path(
    get,
    path = "/v1/usage/tokens",
    tag = "Usage",
    operation_id = "listTopTokens",
    summary = "List the tokens that were used most",
    description = "Those of the caller's account, or of all accounts for those who act across them, \
        revoked ones too. The range is widened to whole hours, or to whole days by UTC where it is \
        longer than 200 hours.",
    params(Query),
    responses(
        (
            status = 200,
            description = "The tokens",
            content(
                (Top = "application/json"),
                (
                    String = "text/csv",
                    example = "token_id,account_id,name,token_prefix,requests,errors\r\n",
                ),
            ),
        ),
        Guarded<UsageRead>,
        RangeTooLarge,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<UsageRead>,
    request_id: RequestId,
    Parameters(query): Parameters<Query>,
) -> Result<Response, Problem> {
    let as_of = app.now();
    let asked = times::range(as_of, query.from, query.to)?;
    let width = times::usual_width(asked, &[Width::Hour, Width::Day]);
    let range = times::buckets(asked, width)?;
    let order = query.order.unwrap_or(By::Requests);
    let limit = groups(query.limit)?;
    let account = query.account_id.map(AccountId);
    let export = Export::new(&allowed, request_id, None, account);
    export.note(&app, query.format, "/v1/usage/tokens").await?;
    let (reach, by) = (allowed.reach, order.into());
    let asking = |mut db: Reading| async move {
        top(&mut db, reach, account, (range, width), by, limit).await
    };
    let found = reading::ask(&app, reading::SHORTER, asking).await?;
    let items: Vec<Item> = found.into_iter().map(Into::into).collect();
    match query.format {
        Format::Json => Ok(Json(Top {
            from: range.from,
            to: range.to,
            as_of,
            order,
            items,
        })
        .into_response()),
        Format::Csv => table(&items),
    }
}

fn table(items: &[Item]) -> Result<Response, Problem> {
    let mut table = Table::new(&[
        "token_id",
        "account_id",
        "name",
        "token_prefix",
        "requests",
        "errors",
    ])?;
    for item in items {
        table.row([
            item.token_id.to_string(),
            number(item.account_id),
            text(item.name.as_deref().unwrap_or_default()).into_owned(),
            text(item.token_prefix.as_deref().unwrap_or_default()).into_owned(),
            item.requests.to_string(),
            item.errors.to_string(),
        ])?;
    }
    table.into_response()
}
