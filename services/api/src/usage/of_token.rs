//! `GET /v1/tokens/{id}/usage`

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_read_model::tokens;
use tollkeeper_read_model::usage::Selection;
use utoipa::IntoParams;

use super::export::Export;
use super::question::Asked;
use super::series::{self, Series};
use super::words::{Bucket, GroupBy, StatusClass};
use crate::app::App;
use crate::caller::{Allowed, UsageRead};
use crate::http::csv::Format;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::request_id::RequestId;
use crate::openapi::errors::{Guarded, NotFound, RangeTooLarge};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// From when on; a day before `to` if it is not given.
    from: Option<DateTime<Utc>>,
    /// Until when; now if it is not given, or lies in the future.
    to: Option<DateTime<Utc>>,
    /// How wide the buckets are: as wide as gives at most 200 of them, if it is not given.
    bucket: Option<Bucket>,
    /// By what requests are told apart.
    #[param(inline)]
    group_by: Option<GroupBy>,
    /// How many groups are told apart at most.
    #[param(minimum = 1, maximum = 50, default = 10)]
    limit: Option<i64>,
    /// Only requests of this endpoint, identifiers in it written as `{id}`.
    #[param(pattern = r"^[^\x00]*$")]
    endpoint: Option<String>,
    /// Only requests of this method.
    #[param(pattern = r"^[^\x00]*$")]
    method: Option<String>,
    /// Only requests with such a status.
    #[param(inline)]
    status_class: Option<StatusClass>,
    /// Only requests that came to this.
    #[param(value_type = Option<tollkeeper_domain::verdict::Verdict>)]
    verdict: Option<String>,
    /// How the answer is written.
    #[serde(default)]
    #[param(inline)]
    format: Format,
}

/// The usage of a token over time: 200, 400 for what cannot be asked or is too much, 404.
#[utoipa::path(
    get,
    path = "/v1/tokens/{id}/usage",
    tag = "Usage",
    operation_id = "getUsageOfToken",
    summary = "Read the usage of a token over time",
    description = "How many requests presented it, how many of them failed and how long they took, in \
        buckets that begin and end by UTC. The range is widened to whole buckets. Hours and days are \
        read from sums; minutes, and whatever has to do with verdicts, user agents and networks, from \
        single requests, which are kept for a shorter time, and for 31 days at most. Also of a token \
        that is revoked.",
    params(("id" = TokenId, Path, description = "The token"), Query),
    responses(
        (
            status = 200,
            description = "The usage, as CSV a line for each bucket of each group",
            content(
                (Series = "application/json"),
                (String = "text/csv", example = "start,requests,errors,p50_us,p90_us,p99_us\r\n"),
            ),
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
    Id(id): Id,
    Parameters(query): Parameters<Query>,
) -> Result<Response, Problem> {
    let token = TokenId(id);
    let found = tokens::find(&app.pool, allowed.reach, token, app.now()).await?;
    let row = found.ok_or_else(|| Problem::not_found("token"))?;
    let owner = Some(row.account_id.into());
    let export = Export::new(&allowed, request_id, Some(token), owner);
    let asked = Asked {
        selection: Selection {
            token: Some(token),
            account: None,
        },
        from: query.from,
        to: query.to,
        bucket: query.bucket,
        group_by: query.group_by,
        limit: query.limit,
        endpoint: query.endpoint,
        method: query.method,
        status_class: query.status_class,
        verdict: query.verdict,
    };
    let export = (export, "/v1/tokens/{id}/usage");
    series::answer(&app, allowed.reach, asked, query.format, export).await
}
