//! A line of the audit log, as it is told.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tollkeeper_domain::event::TYPES;
use tollkeeper_read_model::audit::{Act, AuditRow, Outcome};
use tollkeeper_telemetry::http::OPERATIONS;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

/// One page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditLog, example = json!({
    "items": [
        {
            "at": "2026-11-02T14:12:31.004211Z",
            "last_at": "2026-11-02T14:12:58.730118Z",
            "outcome": "refused",
            "action": "POST /v1/tokens/{id}/rotate",
            "actor": "token:019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f",
            "account_id": "019aa5d0-1f2e-7a10-9c3b-5d6e7f809101",
            "subject_type": null,
            "subject_id": "019aa5d0-7c1d-7b2e-9a3f-1b2c3d4e5f60",
            "code": "INSUFFICIENT_SCOPE",
            "status": 403,
            "count": 17,
            "network": "192.0.2.0/24",
            "request_id": "019aa5d2-1f00-7bc2-8d1e-0f4b5a6c7d8e",
            "position": null,
            "details": null,
        },
        {
            "at": "2026-11-02T14:10:00.001209Z",
            "last_at": "2026-11-02T14:10:00.001209Z",
            "outcome": "allowed",
            "action": "TokenRevoked",
            "actor": "operator:admin",
            "account_id": "019aa5d0-1f2e-7a10-9c3b-5d6e7f809101",
            "subject_type": "token",
            "subject_id": "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f",
            "code": null,
            "status": null,
            "count": 1,
            "network": null,
            "request_id": "019aa5d0-5a3c-7bc2-8d1e-0f4b5a6c7d8e",
            "position": 4711,
            "details": null,
        },
    ],
}))]
pub(super) struct Page {
    /// From the newest to the oldest.
    pub(super) items: Vec<Item>,
    /// Give it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) next_cursor: Option<String>,
}

/// Something that was done, or attempts that were refused: those of one minute that are alike are one
/// line.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditItem)]
pub(super) struct Item {
    /// When it was recorded; of refused attempts, when the first was refused.
    at: DateTime<Utc>,
    /// When the last attempt was refused; else the same.
    last_at: DateTime<Utc>,
    #[schema(inline)]
    outcome: OutcomeName,
    /// An event's type, another action's name, or the operation that was refused. Null for refused
    /// attempts that were too many to be told apart.
    #[schema(required, value_type = Option<AuditAction>)]
    action: Option<String>,
    /// `operator:<name>`, `token:<id>`, `account:<id>`, `system:<task>`, or `database:<login>` for whoever
    /// used a command that works on the database. Null where nobody knows whose credential it was.
    #[schema(required)]
    actor: Option<String>,
    /// The account that it concerns; of refused attempts, the caller's.
    #[schema(required)]
    account_id: Option<Uuid>,
    /// What kind of thing it was done to. Null for refused attempts.
    #[schema(required)]
    subject_type: Option<String>,
    /// Which one; of refused attempts, the one that one of them was about.
    #[schema(required)]
    subject_id: Option<Uuid>,
    /// With which code the attempts were refused.
    #[schema(required)]
    code: Option<String>,
    /// With which status.
    #[schema(required)]
    status: Option<i16>,
    /// How many attempts these are; 1 for what was done.
    #[schema(minimum = 1)]
    count: i64,
    /// Where one of the attempts came from, as a /24 or /48, as far as addresses are kept.
    #[schema(required)]
    network: Option<String>,
    /// The request; of refused attempts, of one of them.
    #[schema(required)]
    request_id: Option<String>,
    /// Where it stands in the event log, which tells more of it.
    #[schema(required)]
    position: Option<i64>,
    /// More of what left no event.
    #[schema(required, value_type = Option<Object>)]
    details: Option<Value>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditOutcome)]
pub(super) enum OutcomeName {
    /// It was done.
    Allowed,
    /// It was not.
    Refused,
}

impl From<OutcomeName> for Outcome {
    fn from(name: OutcomeName) -> Self {
        match name {
            OutcomeName::Allowed => Self::Allowed,
            OutcomeName::Refused => Self::Refused,
        }
    }
}

impl From<AuditRow> for Item {
    fn from(row: AuditRow) -> Self {
        Self {
            outcome: match row.outcome() {
                Outcome::Allowed => OutcomeName::Allowed,
                Outcome::Refused => OutcomeName::Refused,
            },
            position: row.position(),
            at: row.at,
            last_at: row.last_at,
            action: row.action,
            actor: row.actor,
            account_id: row.account_id,
            subject_type: row.subject_type,
            subject_id: row.subject_id,
            code: row.code,
            status: row.status,
            count: row.count,
            network: row.network,
            request_id: row.request_id,
            details: row.details,
        }
    }
}

/// The actions that the audit log can tell of.
pub(super) fn actions() -> impl Iterator<Item = String> {
    let events = TYPES.iter().map(|(name, _)| (*name).to_owned());
    let acts = Act::ALL.iter().map(|act| act.name().to_owned());
    let operations = OPERATIONS
        .iter()
        .chain([&super::SIGN_IN])
        .map(|[method, route]| format!("{method} {route}"));
    let operations = operations.filter(|it| it.contains(" /"));
    events.chain(acts).chain(operations)
}

/// Their names, for the description of the API.
pub(super) struct AuditAction;

impl ToSchema for AuditAction {}

impl PartialSchema for AuditAction {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("What was done, or refused."))
            .enum_values(Some(actions()))
            .into()
    }
}
