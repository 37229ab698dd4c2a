//! `POST /v1/tokens/bulk-revoke`: first a dry run, which fixes the tokens, then the same for real.

use crate::openapi::errors::{NotFound, PlanConflict, WithKey};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgExecutor;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::token::RevocationReason;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::revocations::{self, JobRow, MOST_TOKENS, Plan};
use utoipa::ToSchema;
use uuid::Uuid;

use super::bulk_filter::Filter;
use super::reason::GivenReason;
use super::view::TokenView;
use crate::app::App;
use crate::caller::{Allowed, TokensWrite};
use crate::commands::Cause;
use crate::http::body::Body;
use crate::http::problem::{FieldErrors, Problem};
use crate::http::request_id::RequestId;
use crate::idempotency::{Answer, Claim, IdempotencyKey, Once};

/// How long a plan may be run.
const GOOD_FOR: TimeDelta = TimeDelta::hours(1);

/// How many of its tokens a plan shows.
const SAMPLE: usize = 5;

/// Which tokens to revoke, and whether for real.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "dry_run": true,
    "filter": { "scope": "orders:write", "state": "active" },
    "reason": "privilege_withdrawn",
}))]
pub(crate) struct BulkRevoke {
    /// Whether to plan only.
    dry_run: bool,
    /// The plan to run.
    plan_id: Option<Uuid>,
    /// Which tokens. To run a plan, the same as when it was made.
    filter: Filter,
    /// Why. To run a plan, the same or none.
    reason: Option<GivenReason>,
}

/// How far a revocation of many tokens has come.
#[derive(ToSchema)]
#[schema(as = BulkRevocationState, rename_all = "snake_case")]
#[allow(
    dead_code,
    reason = "the database has it as text, which is only described by this"
)]
enum JobState {
    Planned,
    Running,
    Done,
}

/// A revocation of many tokens, and how far it has come.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkRevocation, example = json!({
    "id": "019aa5d0-8b2c-7d4e-9f50-617283940516",
    "state": "running",
    "reason": "privilege_withdrawn",
    "filter": { "all": false, "account_id": null, "state": "active", "environment": null,
        "scope": "orders:write", "prefix": null, "search": null, "issued_by": null,
        "created_after": null, "created_before": null, "last_used_after": null,
        "last_used_before": null, "expires_after": null, "expires_before": null },
    "root_id": null,
    "count": 1204,
    "pending": 204,
    "revoked": 998,
    "already_revoked": 2,
    "created_at": "2026-11-02T14:05:00.000417Z",
    "expires_at": "2026-11-02T15:05:00.000417Z",
    "started_at": "2026-11-02T14:07:31.004512Z",
    "finished_at": null,
}))]
pub(crate) struct JobView {
    id: Uuid,
    #[schema(value_type = JobState)]
    state: String,
    #[schema(value_type = RevocationReason)]
    reason: String,
    /// Which tokens, as it was asked; null for a cascade.
    #[schema(required, value_type = Option<Filter>)]
    filter: Option<Value>,
    /// The token that a cascade began with; null for a plan.
    #[schema(required)]
    root_id: Option<Uuid>,
    /// How many tokens it is about.
    #[schema(minimum = 0)]
    count: i64,
    /// How many are still to be revoked.
    #[schema(minimum = 0)]
    pending: i64,
    #[schema(minimum = 0)]
    revoked: i64,
    /// How many somebody else has revoked meanwhile.
    #[schema(minimum = 0)]
    already_revoked: i64,
    created_at: DateTime<Utc>,
    /// Until when the plan may be run; null for a cascade.
    #[schema(required)]
    expires_at: Option<DateTime<Utc>>,
    #[schema(required)]
    started_at: Option<DateTime<Utc>>,
    #[schema(required)]
    finished_at: Option<DateTime<Utc>>,
}

/// A plan with some of its tokens, the newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkRevocationPlan)]
pub(crate) struct PlanView {
    #[serde(flatten)]
    job: JobView,
    #[schema(max_items = 5)]
    sample: Vec<TokenView>,
}

/// Plans a revocation of all tokens that a filter matches: 201; or runs the plan: 200 when it is
/// done, 202 while it goes on in the background; 404; 409 `PLAN_EXPIRED`; 422.
#[utoipa::path(
    post,
    path = "/v1/tokens/bulk-revoke",
    tag = "Tokens",
    operation_id = "revokeTokens",
    summary = "Revoke many tokens",
    description = "In two steps. A dry run fixes the tokens that the filter matches and gives a plan; \
        the same filter with `dry_run: false` and the `plan_id` revokes these and no others, and may \
        be asked for again.",
    params(IdempotencyKey),
    request_body = BulkRevoke,
    responses(
        (status = 200, description = "The plan is done", body = JobView),
        (status = 201, description = "The plan, with some of its tokens", body = PlanView),
        (status = 202, description = "The plan is being run in the background", body = JobView),
        WithKey<TokensWrite>,
        NotFound,
        PlanConflict,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensWrite>,
    RequestId(request_id): RequestId,
    Once(key, Body(body)): Once<Body<BulkRevoke>>,
) -> Result<Response, Problem> {
    let mut errors = FieldErrors::default();
    body.filter.check(&mut errors);
    match (body.dry_run, body.plan_id) {
        (true, Some(_)) => errors.add("/plan_id", "a dry run makes a plan of its own"),
        (false, None) => errors.add("/plan_id", "only what a dry run has planned is run"),
        _ => {}
    }
    errors.check()?;
    match body.plan_id {
        None => {
            let work = |claim| plan(&app, &allowed, body, claim);
            key.once(&app, &allowed.caller, work).await
        }
        // To run a plan again changes nothing.
        Some(id) => {
            let cause = Cause {
                actor: allowed.caller.actor(),
                request_id,
            };
            run(&app, allowed.reach, &cause, id, body).await
        }
    }
}

async fn plan(
    app: &App,
    allowed: &Allowed<TokensWrite>,
    body: BulkRevoke,
    claim: Claim,
) -> Result<Answer, Problem> {
    let account = body.filter.account_id.map(AccountId);
    if account.is_some_and(|account| !allowed.reach.includes(account)) {
        let detail = "there is no such account";
        return Err(Problem::bad_field("/filter/account_id", detail));
    }
    let now = app.now();
    let plan = Plan {
        id: app.new_id(),
        filter: serde_json::to_value(&body.filter).map_err(Problem::internal)?,
        reason: body.reason.unwrap_or_default().into(),
        created_at: now,
        expires_at: now + GOOD_FOR,
    };
    let filter = body.filter.into();
    let mut transaction = app.pool.begin().await?;
    let reach = allowed.reach;
    let fixed = revocations::plan(&mut transaction, reach, &plan, &filter, SAMPLE).await?;
    let Some(newest) = fixed else {
        let detail = format!("more than {MOST_TOKENS} tokens match: narrow the filter");
        return Err(Problem::bad_field("/filter", detail));
    };
    let job = found(&mut *transaction, allowed.reach, plan.id).await?;
    let sample = newest.into_iter().map(TokenView::from).collect();
    let view = PlanView {
        job: job.into(),
        sample,
    };
    let answer = Answer::new(StatusCode::CREATED, &view).map_err(Problem::internal)?;
    claim.keep_in(&mut transaction, &answer).await?;
    transaction.commit().await?;
    Ok(answer)
}

async fn run(
    app: &App,
    reach: Reach,
    cause: &Cause,
    id: Uuid,
    body: BulkRevoke,
) -> Result<Response, Problem> {
    let plan = found(&app.pool, reach, id).await?;
    let asked = serde_json::to_value(&body.filter).map_err(Problem::internal)?;
    let mut errors = FieldErrors::default();
    if plan.filter != Some(asked) {
        errors.add("/filter", "this is not the filter of the plan");
    }
    let reason = body.reason.map(RevocationReason::from);
    if reason.is_some_and(|it| it.as_str() != plan.reason) {
        errors.add("/reason", "this is not the reason of the plan");
    }
    errors.check()?;
    if let Some(job) = app.commands.start_plan(cause, (id, reach)).await? {
        app.commands.work_within_request(&job).await?;
    }
    let job = found(&app.pool, reach, id).await?;
    match job.state.as_str() {
        "planned" => {
            let detail = "the plan is too old to be run: make a new one";
            Err(Problem::conflict("PLAN_EXPIRED", detail))
        }
        "done" => Ok((StatusCode::OK, Json(JobView::from(job))).into_response()),
        _ => Ok((StatusCode::ACCEPTED, Json(JobView::from(job))).into_response()),
    }
}

/// The job, or 404.
pub(super) async fn found(
    db: impl PgExecutor<'_>,
    reach: Reach,
    id: Uuid,
) -> Result<JobRow, Problem> {
    let found = revocations::find(db, reach, id).await?;
    found.ok_or_else(|| Problem::not_found("revocation"))
}

impl From<JobRow> for JobView {
    fn from(row: JobRow) -> Self {
        Self {
            id: row.id,
            state: row.state,
            reason: row.reason,
            filter: row.filter,
            root_id: row.root_id,
            count: row.count,
            pending: row.pending,
            revoked: row.revoked,
            already_revoked: row.already_revoked,
            created_at: row.created_at,
            expires_at: row.expires_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        }
    }
}
