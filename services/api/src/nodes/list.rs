//! `GET /v1/nodes`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use serde::Serialize;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::nodes::NodeRow;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::caller::{Allowed, NodesRead};
use crate::commands::CommandError;
use crate::http::problem::Problem;
use crate::openapi::errors::Guarded;

/// The nodes and the log that they follow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Nodes {
    /// By name.
    items: Vec<NodeView>,
    /// The end of the log.
    #[schema(minimum = 0)]
    head: i64,
}

/// A process that answers from memory.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Node, example = json!({
    "id": "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f",
    "name": "gateway-7",
    "version": "0.1.0",
    "position": 48_211,
    "lag": 0,
    "registered_at": "2026-11-01T09:30:00.123456Z",
    "registered_by": null,
    "reported_at": "2026-11-02T14:07:31.004512Z",
    "valid_until": "2026-11-02T14:08:32.004512Z",
    "may_answer": true,
}))]
struct NodeView {
    /// New at each start.
    id: Uuid,
    /// The name of its machine.
    name: String,
    /// The version of its program.
    version: String,
    /// Up to where it has applied the log; null where it knows nothing yet, and so answers nothing.
    #[schema(required, minimum = 0)]
    position: Option<i64>,
    /// How many events it has not applied.
    #[schema(required, minimum = 0)]
    lag: Option<i64>,
    /// When it was first heard of.
    registered_at: DateTime<Utc>,
    /// Who registered it over this API, as events name an actor; null for one that has the database.
    #[schema(required)]
    registered_by: Option<String>,
    /// When it was last heard of.
    reported_at: DateTime<Utc>,
    /// It answers nothing after this unless it is heard of again; null where it was told to go on
    /// without the database.
    #[schema(required)]
    valid_until: Option<DateTime<Utc>>,
    /// Whether that time is not over.
    may_answer: bool,
}

/// Every node that was heard of within a day: 200; 403 for those who do not act across accounts.
#[utoipa::path(
    get,
    path = "/v1/nodes",
    tag = "Verification",
    operation_id = "listNodes",
    summary = "See the nodes that verify",
    description = "Each process that answers from memory, and how far it has applied the log. For \
        operators and tokens of system accounts.",
    responses(
        (status = 200, description = "The nodes", body = Nodes),
        Guarded<NodesRead>,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<NodesRead>,
) -> Result<impl IntoResponse, Problem> {
    if allowed.reach != Reach::All {
        let detail = "only operators and tokens of system accounts see the nodes";
        return Err(Problem::forbidden("BEYOND_AUTHORITY", detail));
    }
    let nodes = app.roll.since(app.roll.moment()).await?;
    // After the nodes, so that none is ahead of it.
    let head = tollkeeper_event_store::head(&app.pool).await;
    let head = head.map_err(CommandError::from)?.position;
    let items = nodes.iter().map(|node| view(node, head)).collect();
    Ok(Json(Nodes { items, head }))
}

fn view(node: &NodeRow, head: i64) -> NodeView {
    NodeView {
        id: node.id,
        name: node.name.clone(),
        version: node.version.clone(),
        position: node.position,
        lag: node.position.map(|position| (head - position).max(0)),
        registered_at: node.registered_at,
        registered_by: node.registered_by.clone(),
        reported_at: node.reported_at,
        valid_until: node.valid_until,
        may_answer: node.may_answer,
    }
}
