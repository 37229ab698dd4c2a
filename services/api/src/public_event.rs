//! An event as others may see it, on the broker, in the feed and in webhooks. The hash of a secret is
//! stripped: it is for rebuilds and for nobody else.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tollkeeper_domain::event::TYPES;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_event_store::StoredEvent;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

/// Something that happened to a token or to an account.
#[derive(Serialize, ToSchema)]
#[schema(as = Event, example = json!({
    "position": 4711,
    "event_id": "019aa5d0-9c1d-7e2f-8a3b-4c5d6e7f8091",
    "stream_type": "token",
    "stream_id": "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f",
    "account_id": "019aa5d0-1f2e-7a10-9c3b-5d6e7f809101",
    "stream_version": 2,
    "type": "TokenRevoked",
    "schema_version": 1,
    "payload": { "reason": "superseded" },
    "actor": "operator:admin",
    "request_id": "019aa5d0-5a3c-7bc2-8d1e-0f4b5a6c7d8e",
    "occurred_at": "2026-11-02T14:10:00.000417Z",
    "recorded_at": "2026-11-02T14:10:00.001209Z",
}))]
pub(crate) struct PublicEvent<'a> {
    /// Its place in the one order of all events, from 1 on without gaps.
    #[schema(minimum = 1)]
    position: i64,
    /// Its own id.
    event_id: Uuid,
    /// Whose history it belongs to: `token` or `account`.
    stream_type: &'static str,
    /// The id of the token or account.
    stream_id: Uuid,
    /// The account, which is also the token's.
    account_id: AccountId,
    /// Its place in that history, from 1 on without gaps; the version it made.
    #[schema(minimum = 1)]
    stream_version: u64,
    #[schema(value_type = EventType)]
    r#type: &'static str,
    /// Of the payload.
    #[schema(minimum = 1)]
    schema_version: u32,
    /// What happened, by the type.
    #[schema(value_type = Object)]
    payload: Value,
    /// Who caused it: `operator:<name>`, `token:<id>`, `account:<id>` or `system:<task>`.
    actor: &'a str,
    /// The request that caused it.
    request_id: &'a str,
    /// When it was decided.
    occurred_at: DateTime<Utc>,
    /// When it was committed to the log; never goes back.
    recorded_at: DateTime<Utc>,
}

/// The types of events, for the description of the API.
pub(crate) struct EventType;

impl ToSchema for EventType {}

impl PartialSchema for EventType {
    fn schema() -> RefOr<Schema> {
        let names = TYPES.map(|(name, _)| name);
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("What kind of thing happened."))
            .enum_values(Some(names))
            .into()
    }
}

/// The event without what is nobody's business.
pub(crate) fn public(stored: &StoredEvent) -> Result<Value, serde_json::Error> {
    let mut payload = stored.event.payload()?;
    if let Some(payload) = payload.as_object_mut() {
        payload.remove("secret_hash");
    }
    serde_json::to_value(PublicEvent {
        position: stored.position,
        event_id: stored.event_id,
        stream_type: stored.stream.kind(),
        stream_id: stored.stream.id(),
        account_id: stored.account_id,
        stream_version: stored.stream_version,
        r#type: stored.event.name(),
        schema_version: stored.event.schema_version(),
        payload,
        actor: &stored.actor,
        request_id: &stored.request_id,
        occurred_at: stored.occurred_at,
        recorded_at: stored.recorded_at,
    })
}
