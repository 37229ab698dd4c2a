//! One entry of a token's history in words: what happened, who did it and when.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::token::{page_of, short};
use super::values::{label, reason, value};
use crate::console::words::Moment;

/// An event, as the management API shows it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Event {
    pub(super) position: i64,
    pub(super) stream_version: u64,
    pub(super) r#type: String,
    pub(super) payload: Value,
    pub(super) actor: String,
    pub(super) recorded_at: DateTime<Utc>,
}

/// A field that an event set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Detail {
    /// Which.
    pub(super) label: String,
    /// What it was, where that is known and not the same.
    pub(super) before: Option<String>,
    /// What it became.
    pub(super) after: String,
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    /// In words.
    pub(super) words: String,
    /// In full.
    pub(super) whole: String,
    /// Where their page is, if they have one.
    pub(super) page: Option<String>,
}

/// An entry of a history.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// What happened.
    pub(super) what: String,
    /// What it set.
    pub(super) details: Vec<Detail>,
    /// Who did it.
    pub(super) who: Who,
    /// When.
    pub(super) moment: Moment,
    /// The version that it made.
    pub(super) version: u64,
    /// The same, to be asked for.
    pub(super) at: String,
}

/// The fields of a token as far as the events told so far set them.
#[derive(Debug, Default)]
pub(super) struct Known(Map<String, Value>);

/// What an event can set, in the order in which it is told.
const FIELDS: [&str; 9] = [
    "name",
    "environment",
    "scopes",
    "not_before",
    "expires_at",
    "allowed_cidrs",
    "rate_limits",
    "quotas",
    "metadata",
];

/// These events in words, as they are told at `now`.
pub(super) fn entries(events: &[Event], now: DateTime<Utc>) -> Vec<Entry> {
    let mut known = Known::default();
    let entry = |event: &Event| Entry {
        what: what(event),
        details: known.details(event),
        who: who(&event.actor),
        moment: Moment {
            at: event.recorded_at,
            now,
        },
        version: event.stream_version,
        at: event
            .recorded_at
            .to_rfc3339_opts(SecondsFormat::Micros, true),
    };
    events.iter().map(entry).collect()
}

impl Known {
    /// What the event set, beside what its name says; what is told now is known from now on.
    fn details(&mut self, event: &Event) -> Vec<Detail> {
        let is_beginning = matches!(event.r#type.as_str(), "TokenIssued" | "TokenImported");
        let mut details = Vec::new();
        // A notice of an expiry sets nothing.
        let set = (event.r#type != "TokenExpiring").then_some(&FIELDS[..]);
        for &field in set.into_iter().flatten() {
            let Some(after) = event.payload.get(field) else {
                continue;
            };
            let before = self.0.insert(field.to_owned(), after.clone());
            let is_empty = is_beginning && is_nothing(after);
            if before.as_ref() != Some(after) && !is_empty {
                details.push(Detail {
                    label: label(field).to_owned(),
                    before: before.map(|before| value(field, &before)),
                    after: value(field, after),
                });
            }
        }
        let beside: &[&str] = match event.r#type.as_str() {
            "TokenIssued" | "TokenImported" => &["token_prefix"],
            "TokenRotated" => &["token_prefix", "previous_valid_until"],
            _ => &[],
        };
        details.extend(beside.iter().filter_map(|field| {
            Some(Detail {
                label: label(field).to_owned(),
                before: None,
                after: value(field, event.payload.get(field)?),
            })
        }));
        details
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        _ => false,
    }
}

/// What happened, in words.
pub(super) fn what(event: &Event) -> String {
    let text = |field: &str| event.payload[field].as_str().unwrap_or_default();
    match event.r#type.as_str() {
        "TokenIssued" => "Issued".to_owned(),
        "TokenImported" => "Imported from another system".to_owned(),
        "TokenRenamed" => format!("Renamed to “{}”", text("name")),
        "TokenScopesChanged" => "Scopes changed".to_owned(),
        "TokenExpiryChanged" => "Validity changed".to_owned(),
        "TokenRestrictionsChanged" => "Restrictions changed".to_owned(),
        "TokenQuotaRefilled" => format!("Quota “{}” refilled", text("name")),
        "TokenMetadataChanged" => "Metadata changed".to_owned(),
        "TokenRotated" => "Given a new secret".to_owned(),
        "TokenSuspended" => "Suspended".to_owned(),
        "TokenResumed" => "Resumed".to_owned(),
        "TokenRevoked" => format!("Revoked: {}", reason(text("reason"))),
        "TokenExpiring" => {
            let days = event.payload["days"].as_u64().unwrap_or_default();
            format!("Told that it expires within {days} days")
        }
        other => other.to_owned(),
    }
}

/// Who did it, in words.
pub(super) fn who(actor: &str) -> Who {
    let (kind, name) = actor.split_once(':').unwrap_or(("", actor));
    let id = name.parse::<Uuid>().ok();
    let named = id.as_ref().map_or_else(|| name.to_owned(), short);
    let (words, page) = match kind {
        "operator" => (format!("operator {name}"), None),
        "account" => (format!("account {named}"), None),
        "token" => (format!("token {named}"), id.map(page_of)),
        "system" => (format!("Tollkeeper ({})", name.replace('-', " ")), None),
        _ => (actor.to_owned(), None),
    };
    Who {
        words,
        whole: actor.to_owned(),
        page,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(version: u64, kind: &str, payload: Value) -> Event {
        Event {
            position: 1,
            stream_version: version,
            r#type: kind.to_owned(),
            payload,
            actor: "operator:admin".to_owned(),
            recorded_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_change_tells_what_was_and_what_is() {
        let events = [
            event(
                1,
                "TokenIssued",
                json!({ "name": "ci", "scopes": ["a", "b"], "allowed_cidrs": [],
                    "expires_at": null, "token_prefix": "tk_live_abcd" }),
            ),
            event(2, "TokenScopesChanged", json!({ "scopes": ["a"] })),
            event(
                3,
                "TokenExpiring",
                json!({ "days": 7, "expires_at": "2026-01-01T00:00:00Z" }),
            ),
        ];
        let told = entries(&events, DateTime::UNIX_EPOCH);
        let what: Vec<_> = told.iter().map(|it| it.what.as_str()).collect();
        let expected = [
            "Issued",
            "Scopes changed",
            "Told that it expires within 7 days",
        ];
        assert_eq!(what, expected);
        let labels: Vec<_> = told[0].details.iter().map(|it| it.label.as_str()).collect();
        assert_eq!(labels, ["Name", "Scopes", "Secret begins with"]);
        let narrowed = Detail {
            label: "Scopes".to_owned(),
            before: Some("a, b".to_owned()),
            after: "a".to_owned(),
        };
        assert_eq!(told[1].details, [narrowed]);
        assert!(told[2].details.is_empty());
    }

    #[test]
    fn a_history_that_is_cut_does_not_know_what_was() {
        let events = [event(9, "TokenRenamed", json!({ "name": "new" }))];
        let told = entries(&events, DateTime::UNIX_EPOCH);
        assert_eq!(told[0].what, "Renamed to “new”");
        assert_eq!(told[0].details[0].before, None);
    }

    #[test]
    fn actors_have_names_for_people() {
        let id = "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f";
        assert_eq!(
            who("operator:admin@x.example").words,
            "operator admin@x.example"
        );
        assert_eq!(
            who("system:expiry-notices").words,
            "Tollkeeper (expiry notices)"
        );
        assert_eq!(who(&format!("account:{id}")).words, "account …8a9d0e1f");
        let token = who(&format!("token:{id}"));
        assert_eq!(token.page, Some(format!("/console/tokens/{id}")));
        assert_eq!(who("nobody").words, "nobody");
    }
}
