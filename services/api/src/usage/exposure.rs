//! `GET /v1/tokens/{id}/exposure`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tollkeeper_domain::event::Stream;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_event_store::history;
use tollkeeper_read_model::audit::Act;
use tollkeeper_read_model::tokens::{self, TokenRow};
use tollkeeper_read_model::usage::completeness::{self, Summary};
use tollkeeper_read_model::usage::{Exposure, Trace, Traces, exposure};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::export::Export;
use super::reading::{self, Reading};
use super::times;
use crate::app::App;
use crate::caller::{Allowed, UsageRead};
use crate::commands::CommandError;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::request_id::RequestId;
use crate::nodes::Receipt;
use crate::openapi::errors::{Guarded, NotFound, RangeTooLarge};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// From when on; from the token's beginning if it is not given.
    since: Option<DateTime<Utc>>,
}

/// What a token did since a moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Exposure, example = json!({
    "token_id": "019aa5d0-5a3c-7bc2-8d1e-0f4b5a6c7d8e",
    "since": "2026-03-01T10:00:00Z",
    "as_of": "2026-03-01T12:34:56.789012Z",
    "usage_complete_through": "2026-03-01T12:34:55.120034Z",
    "usage_unmarked_sources": 0,
    "revocation": null,
    "requests": 1,
    "allowed": 1,
    "first_seen": "2026-03-01T11:00:00Z",
    "last_seen": "2026-03-01T11:00:00Z",
    "last_allowed": "2026-03-01T11:00:00Z",
    "last_refused": null,
    "verdicts": { "items": [], "count": 0 },
    "endpoints": { "items": [], "count": 0 },
    "methods": { "items": [], "count": 0 },
    "addresses": { "items": [], "count": 0 },
    "networks": { "items": [], "count": 0 },
}))]
pub(crate) struct Report {
    token_id: Uuid,
    since: DateTime<Utc>,
    /// When this was read. Requests count when they have come to the tables, which takes them about
    /// a second: the newest may be missing.
    as_of: DateTime<Utc>,
    /// Every request that was answered before this is in the report, or known to be dropped or set
    /// aside. It stands still while a process that vanished may have more.
    usage_complete_through: DateTime<Utc>,
    /// How many sources it does not tell of, because nobody has marked them.
    #[schema(minimum = 0)]
    usage_unmarked_sources: i64,
    /// Null where the token is not revoked.
    #[schema(required)]
    revocation: Option<Revocation>,
    /// Presentations of the token, whether they passed or not.
    #[schema(minimum = 0)]
    requests: i64,
    /// How many of them passed.
    #[schema(minimum = 0)]
    allowed: i64,
    #[schema(required)]
    first_seen: Option<DateTime<Utc>>,
    #[schema(required)]
    last_seen: Option<DateTime<Utc>>,
    #[schema(required)]
    last_allowed: Option<DateTime<Utc>>,
    #[schema(required)]
    last_refused: Option<DateTime<Utc>>,
    verdicts: TracesView,
    /// Paths, identifiers in them folded to `{id}`.
    endpoints: TracesView,
    methods: TracesView,
    addresses: TracesView,
    /// The /24 or /48 of the addresses.
    networks: TracesView,
}

/// Where the revocation is in force, and what passed in spite of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExposureRevocation)]
struct Revocation {
    /// When it was decided.
    revoked_at: DateTime<Utc>,
    /// Where it stands in the log.
    position: i64,
    /// Whether every node that may answer has applied it: then nothing passes any more.
    applied_everywhere: bool,
    #[serde(flatten)]
    nodes: Receipt,
    /// How many requests passed after it was decided, by the clocks of the nodes.
    #[schema(minimum = 0)]
    allowed_after: i64,
}

/// The requests told apart by one thing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExposureTraces)]
struct TracesView {
    /// A hundred at most, the most frequent first.
    items: Vec<TraceView>,
    /// How many there are in all.
    #[schema(minimum = 0)]
    count: i64,
}

/// The requests that have something in common.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExposureTrace)]
struct TraceView {
    /// What they have in common; null for addresses that are not kept.
    #[schema(required)]
    key: Option<String>,
    #[schema(minimum = 0)]
    requests: i64,
    /// How many of them passed.
    #[schema(minimum = 0)]
    allowed: i64,
    #[schema(required)]
    first_seen: Option<DateTime<Utc>>,
    #[schema(required)]
    last_seen: Option<DateTime<Utc>>,
}

impl TracesView {
    fn of<K>(traces: Traces<K>, name: impl Fn(K) -> Option<String>) -> Self {
        let view = |(key, trace): (K, Trace)| TraceView {
            key: name(key),
            requests: trace.requests,
            allowed: trace.allowed,
            first_seen: trace.first_seen,
            last_seen: trace.last_seen,
        };
        Self {
            items: traces.items.into_iter().map(view).collect(),
            count: traces.count,
        }
    }
}

/// Everything that a token did since a moment: 200, 400 for what cannot be asked or is too much, 404.
#[utoipa::path(
    get,
    path = "/v1/tokens/{id}/exposure",
    tag = "Usage",
    operation_id = "getExposureOfToken",
    summary = "Report what a leaked token did",
    description = "Every request that presented it since a moment, for as long as single requests are \
        kept: by verdict, endpoint, method, address and network, with the first and the last of each. Of \
        a revoked token it says which nodes have applied the revocation, which may still let it pass, \
        and what passed after it. The requests themselves are listed by `/v1/tokens/{id}/usage/requests`.",
    params(("id" = TokenId, Path, description = "The token"), Query),
    responses(
        (status = 200, description = "The report", body = Report),
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
) -> Result<impl IntoResponse, Problem> {
    let token = TokenId(id);
    let since = query
        .since
        .map(|it| times::moment("since", it))
        .transpose()?;
    let found = tokens::find(&app.pool, allowed.reach, token, app.now()).await?;
    let row = found.ok_or_else(|| Problem::not_found("token"))?;
    let since = since.unwrap_or(row.created_at);
    let owner = Some(row.account_id.into());
    let export = Export::new(&allowed, request_id, Some(token), owner);
    let path = "/v1/tokens/{id}/exposure";
    export.act(&app, Act::ExposureReported, path).await?;
    // The nodes are asked first: what passes before they answer is in what is read then, or on its
    // way there.
    let revoked = revoked(&app, &row).await?;
    // What they are said to have applied, they had applied by now.
    let as_of = app.now();

    let (reach, end) = (allowed.reach, row.revoked_at);
    let asking = |mut db: Reading| async move {
        // How complete usage is comes first: what is settled by then is in what is read after it.
        let usage = completeness::summary(&mut *db).await?;
        Ok((usage, exposure(&mut db, reach, token, since, end).await?))
    };
    let (usage, found) = reading::ask(&app, reading::SHORTER, asking).await?;
    let revocation = revoked.map(|(revoked_at, position, nodes)| Revocation {
        revoked_at,
        position,
        applied_everywhere: nodes.is_complete(),
        nodes,
        allowed_after: found.allowed_after,
    });
    Ok(Json(report(token, since, as_of, &usage, revocation, found)))
}

/// When and where in the log it was revoked, and which nodes have applied that.
async fn revoked(
    app: &App,
    row: &TokenRow,
) -> Result<Option<(DateTime<Utc>, i64, Receipt)>, Problem> {
    let Some(revoked_at) = row.revoked_at else {
        return Ok(None);
    };
    // Nothing follows on a revocation.
    let last = history(&app.pool, Stream::Token(row.id.into()), row.version - 1, 1).await;
    let last = last.map_err(CommandError::from)?.pop();
    let last = last.ok_or_else(|| Problem::internal("a revoked token has no last event"))?;
    let nodes = Receipt::at(app, last.position).await?;
    Ok(Some((revoked_at, last.position, nodes)))
}

fn report(
    token_id: TokenId,
    since: DateTime<Utc>,
    as_of: DateTime<Utc>,
    usage: &Summary,
    revocation: Option<Revocation>,
    found: Exposure,
) -> Report {
    let total = found.total.as_ref();
    Report {
        token_id: token_id.0,
        since,
        as_of,
        usage_complete_through: usage.complete_through,
        usage_unmarked_sources: usage.unmarked,
        revocation,
        requests: total.map_or(0, |it| it.requests),
        allowed: total.map_or(0, |it| it.allowed),
        first_seen: total.and_then(|it| it.first_seen),
        last_seen: total.and_then(|it| it.last_seen),
        last_allowed: found.last_allowed,
        last_refused: found.last_refused,
        verdicts: TracesView::of(found.verdicts, |it| Some(it.code().to_owned())),
        endpoints: TracesView::of(found.endpoints, Some),
        methods: TracesView::of(found.methods, Some),
        addresses: TracesView::of(found.addresses, |it| it.map(|it| it.to_string())),
        networks: TracesView::of(found.networks, |it| it),
    }
}
