//! `GET /v1/usage`

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_read_model::usage::Selection;
use utoipa::IntoParams;
use uuid::Uuid;

use super::export::Export;
use super::question::Asked;
use super::series::{self, Series};
use super::words::{Bucket, GroupBy, StatusClass};
use crate::app::App;
use crate::caller::{Allowed, UsageRead};
use crate::http::csv::Format;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::request_id::RequestId;
use crate::openapi::errors::{Guarded, RangeTooLarge};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Only of the tokens of this account.
    account_id: Option<Uuid>,
    /// Only of this token.
    token_id: Option<Uuid>,
    /// From when on; a day before `to` if it is not given.
    from: Option<DateTime<Utc>>,
    /// Until when; now if it is not given, or lies in the future.
    to: Option<DateTime<Utc>>,
    /// How wide the buckets are: as wide as gives at most 200 of them, and an hour at least where no
    /// token is given, if it is not given.
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

/// The usage of all tokens within reach over time: 200, 400 for what cannot be asked or is too much.
#[utoipa::path(
    get,
    path = "/v1/usage",
    tag = "Usage",
    operation_id = "getUsage",
    summary = "Read the usage of many tokens over time",
    description = "As of one token, for all tokens of the caller's account, or of all accounts for those \
        who act across them; those that are revoked count as well. Single requests are read for 7 days \
        at most where no token is given; verdicts of many tokens are known from sums, but not by token. What is not the caller's has no usage as far as the caller can \
        tell.",
    params(Query),
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
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<UsageRead>,
    request_id: RequestId,
    Parameters(query): Parameters<Query>,
) -> Result<Response, Problem> {
    let (token, account) = (query.token_id.map(TokenId), query.account_id.map(AccountId));
    let export = Export::new(&allowed, request_id, token, account);
    let asked = Asked {
        selection: Selection { token, account },
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
    let export = (export, "/v1/usage");
    series::answer(&app, allowed.reach, asked, query.format, export).await
}
