//! An event as others may see it, on the broker, in the feed and in webhooks. The hash of a secret is
//! stripped: it is for rebuilds and for nobody else.

use serde_json::{Value, json};
use tollkeeper_event_store::StoredEvent;

/// The event without what is nobody's business.
pub(crate) fn public(stored: &StoredEvent) -> Result<Value, serde_json::Error> {
    let mut payload = stored.event.payload()?;
    if let Some(payload) = payload.as_object_mut() {
        payload.remove("secret_hash");
    }
    Ok(json!({
        "position": stored.position,
        "event_id": stored.event_id,
        "stream_type": stored.stream.kind(),
        "stream_id": stored.stream.id(),
        "account_id": stored.account_id,
        "stream_version": stored.stream_version,
        "type": stored.event.name(),
        "schema_version": stored.event.schema_version(),
        "payload": payload,
        "actor": stored.actor,
        "request_id": stored.request_id,
        "occurred_at": stored.occurred_at,
        "recorded_at": stored.recorded_at,
    }))
}
