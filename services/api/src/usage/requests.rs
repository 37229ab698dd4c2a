//! `GET /v1/tokens/{id}/usage/requests`

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use tollkeeper_check::is_request_id;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_read_model::tokens;
use tollkeeper_read_model::usage::{RequestFilter, RequestRow, requests};
use utoipa::{IntoParams, ToSchema};

use super::export::Export;
use super::reading::{self, Reading};
use super::words;
use super::{cursor, times};
use crate::app::App;
use crate::caller::{Allowed, UsageRead};
use crate::http::csv::{Format, Table, next_page, text};
use crate::http::page::limit;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::request_id::RequestId;
use crate::openapi::errors::{Guarded, NotFound, RangeTooLarge};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Only those from this moment on.
    from: Option<DateTime<Utc>>,
    /// Only those before this moment.
    to: Option<DateTime<Utc>>,
    /// Only those that came to this.
    #[param(value_type = Option<tollkeeper_domain::verdict::Verdict>)]
    verdict: Option<String>,
    /// Only those with this status.
    #[param(minimum = 0, maximum = 999)]
    status: Option<u16>,
    /// Only those of this path.
    #[param(pattern = r"^[^\x00]*$")]
    endpoint: Option<String>,
    /// Only those from this address, as far as it is kept.
    #[param(value_type = Option<String>, format = "ip")]
    ip: Option<IpAddr>,
    /// Only that with this id, as the client gave it or its answer told it.
    #[param(pattern = "^[A-Za-z0-9_.-]{1,128}$")]
    request_id: Option<String>,
    /// The `next_cursor` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]{69}[AQgw]$")]
    cursor: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// How the answer is written. As CSV, the next page is named by a `Link` header.
    #[serde(default)]
    #[param(inline)]
    format: Format,
}

/// One page of single requests.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageRequests, example = json!({
    "items": [{
        "timestamp": "2026-03-01T10:00:00.123456Z",
        "timestamp_replaced": false,
        "method": "GET",
        "endpoint": "/orders/7",
        "status": 200,
        "verdict": "VALID",
        "response_time_us": 812,
        "ip": "192.0.2.7",
        "user_agent": "curl/8.5.0",
        "request_id": "0198c0de-0000-7000-8000-000000000001",
        "token_version": 1,
    }],
}))]
pub(crate) struct Page {
    /// From the newest to the oldest.
    items: Vec<Item>,
    /// Give it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// A request that presented the token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageRequest)]
struct Item {
    timestamp: DateTime<Utc>,
    /// Whether the reporter's clock could not be believed: this is then when it arrived.
    timestamp_replaced: bool,
    method: String,
    /// The path, without its query.
    endpoint: String,
    status: i16,
    #[schema(value_type = tollkeeper_domain::verdict::Verdict)]
    verdict: &'static str,
    #[schema(minimum = 0)]
    response_time_us: i64,
    /// As much of the address as is kept; null for nothing of it.
    #[schema(required)]
    ip: Option<String>,
    user_agent: String,
    /// The id that the client gave the request, or that its answer told; null if there was none.
    #[schema(required)]
    request_id: Option<String>,
    /// The token's version by which it was judged.
    token_version: i64,
}

impl From<RequestRow> for Item {
    fn from(row: RequestRow) -> Self {
        Self {
            timestamp: row.timestamp,
            timestamp_replaced: row.timestamp_replaced,
            method: row.method,
            endpoint: row.endpoint,
            status: row.status,
            verdict: row.verdict.code(),
            response_time_us: row.response_time_us,
            ip: row.ip,
            user_agent: row.user_agent,
            request_id: row.request_id,
            token_version: row.token_version,
        }
    }
}

/// The single requests of a token, the newest first: 200, 400 for what cannot be asked or is too
/// much, 404.
#[utoipa::path(
    get,
    path = "/v1/tokens/{id}/usage/requests",
    tag = "Usage",
    operation_id = "listRequestsOfToken",
    summary = "List the single requests of a token",
    description = "From the newest to the oldest, for as long as they are kept. No page repeats or \
        skips a request of another, whatever arrives in between; what is older than the last page and \
        arrives late is listed where it belongs. Also of a token that is revoked.",
    params(("id" = TokenId, Path, description = "The token"), Query),
    responses(
        (
            status = 200,
            description = "A page of requests",
            content(
                (Page = "application/json"),
                (String = "text/csv", example = "timestamp,timestamp_replaced,method\r\n"),
            ),
            headers(("Link" = String, description = "With `format=csv`: the next page, if any")),
        ),
        Guarded<UsageRead>,
        RangeTooLarge,
        NotFound,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<UsageRead>,
    request_id: RequestId,
    uri: Uri,
    Id(id): Id,
    Parameters(query): Parameters<Query>,
) -> Result<Response, Problem> {
    let token = TokenId(id);
    let limit = limit(query.limit)?;
    let after = query.cursor.as_deref();
    let after = after.map(|it| cursor::read(token, it)).transpose()?;
    let filter = filter(&query)?;
    let found = tokens::find(&app.pool, allowed.reach, token, app.now()).await?;
    let row = found.ok_or_else(|| Problem::not_found("token"))?;
    let owner = Some(row.account_id.into());
    let export = Export::new(&allowed, request_id, Some(token), owner);
    let path = "/v1/tokens/{id}/usage/requests";
    export.note(&app, query.format, path).await?;

    let (reach, filter, place) = (allowed.reach, &filter, after.as_ref());
    let asking = |mut db: Reading| async move {
        requests(&mut db, reach, token, filter, place, limit + 1).await
    };
    let mut rows = reading::ask(&app, reading::SHORTER, asking).await?;
    let wanted = usize::try_from(limit).unwrap_or(0);
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let end = RequestRow::end(&rows, after.as_ref()).filter(|_| more);
    let next_cursor = end.map(|place| cursor::write(token, &place));
    let items: Vec<Item> = rows.into_iter().map(Into::into).collect();
    match query.format {
        Format::Json => Ok(Json(Page { items, next_cursor }).into_response()),
        Format::Csv => {
            let mut response = table(&items)?;
            if let Some(cursor) = next_cursor {
                response.headers_mut().extend([next_page(&uri, &cursor)?]);
            }
            Ok(response)
        }
    }
}

fn filter(query: &Query) -> Result<RequestFilter, Problem> {
    let bad = |detail: &str| Problem::bad_request("INVALID_QUERY", detail);
    let from = query.from.map(|it| times::moment("from", it)).transpose()?;
    let to = query.to.map(|it| times::moment("to", it)).transpose()?;
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(bad("`from` lies before `to`"));
    }
    if query
        .request_id
        .as_deref()
        .is_some_and(|id| !is_request_id(id))
    {
        return Err(bad(
            "`request_id` is 1 to 128 letters, digits, `-`, `_` or `.`",
        ));
    }
    let status = query.status.map(i16::try_from).transpose();
    let status = status.ok().filter(|it| it.is_none_or(|it| it <= 999));
    Ok(RequestFilter {
        from,
        to,
        verdict: words::verdict(query.verdict.as_deref())?,
        status: status.ok_or_else(|| bad("`status` is 0 to 999"))?,
        endpoint: query.endpoint.clone(),
        ip: query.ip,
        request_id: query.request_id.clone(),
    })
}

fn table(items: &[Item]) -> Result<Response, Problem> {
    let mut table = Table::new(&[
        "timestamp",
        "timestamp_replaced",
        "method",
        "endpoint",
        "status",
        "verdict",
        "response_time_us",
        "ip",
        "user_agent",
        "request_id",
        "token_version",
    ])?;
    for item in items {
        table.row([
            item.timestamp.to_rfc3339_opts(SecondsFormat::Micros, true),
            item.timestamp_replaced.to_string(),
            text(&item.method).into_owned(),
            text(&item.endpoint).into_owned(),
            item.status.to_string(),
            item.verdict.to_owned(),
            item.response_time_us.to_string(),
            item.ip.clone().unwrap_or_default(),
            text(&item.user_agent).into_owned(),
            text(item.request_id.as_deref().unwrap_or_default()).into_owned(),
            item.token_version.to_string(),
        ])?;
    }
    table.into_response()
}
