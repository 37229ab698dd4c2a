//! What holds between the fields of a body.

use serde_json::{Map, Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::{Components, RefOr, Schema};

/// Adds it to the schemas, as the generator has no words for it.
pub(super) fn add(components: &mut Components) {
    let one_expiry = |at: &str, minutes: &str| {
        let both = json!({
            "required": [at, minutes],
            "properties": { at: { "type": "string" }, minutes: { "type": "integer" } },
        });
        ("not", both)
    };
    let two_steps = json!([
        { "properties": { "dry_run": { "const": true }, "plan_id": { "type": "null" } } },
        {
            "required": ["plan_id"],
            "properties": { "dry_run": { "const": false }, "plan_id": { "type": "string" } },
        },
    ]);
    let filters: Vec<String> = match components.schemas.get("BulkFilter") {
        Some(RefOr::T(Schema::Object(filter))) => filter.properties.keys().cloned().collect(),
        _ => Vec::new(),
    };
    let filters = filters.iter().filter(|name| *name != "all");
    let none = filters.clone();
    let none = none.map(|name| (name.clone(), json!({ "type": "null" })));
    let mut all: Map<String, Value> = none.collect();
    all.insert("all".to_owned(), json!({ "const": true }));
    let given = |name: &String| {
        let kind = if name == "never_used" {
            "boolean"
        } else {
            "string"
        };
        json!({ "required": [name], "properties": { name: { "type": kind } } })
    };
    let one: Vec<Value> = filters.map(given).collect();
    let all_or_filters = json!([
        { "required": ["all"], "properties": all },
        { "properties": { "all": { "const": false } }, "anyOf": one },
    ]);
    let list = |name: &str| {
        let is_given = json!({ name: { "type": "array" } });
        json!({ "required": [name], "properties": is_given })
    };
    let one_change = json!([
        list("allowed_cidrs"),
        list("rate_limits"),
        { "required": ["not_before"] },
        { "required": ["expires_at"] },
    ]);
    let text = |name: &str| {
        let is_given = json!({ name: { "type": "string" } });
        json!({ "required": [name], "properties": is_given })
    };
    let some_letters = json!([list("ids"), text("reason"), text("source")]);
    let conditions = [
        ("IssueToken", one_expiry("expires_at", "expires_in_minutes")),
        (
            "ImportToken",
            one_expiry("expires_at", "expires_in_minutes"),
        ),
        ("IssueForUser", one_expiry("expiresAt", "expiresInMinutes")),
        ("DryRun", ("anyOf", one_change)),
        ("ReplayDeadLetters", ("anyOf", some_letters)),
        ("BulkFilter", ("oneOf", all_or_filters)),
        ("BulkRevoke", ("oneOf", two_steps)),
        // Unknown parameters are left unread, but each is given once.
        (
            "OAuthForm",
            ("additionalProperties", json!({ "type": "string" })),
        ),
    ];
    for (name, (keyword, condition)) in conditions {
        if let Some(RefOr::T(Schema::Object(body))) = components.schemas.get_mut(name) {
            let more = Extensions::from_iter([(keyword, condition)]);
            body.extensions.get_or_insert_default().merge(more);
        }
    }
}
