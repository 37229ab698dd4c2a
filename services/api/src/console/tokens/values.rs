//! The fields of a token in words, for histories and comparisons.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::console::words::{count, span};

/// The reasons that people can give for a revocation, the usual ones first.
pub(super) const REASONS: [(&str, &str); 6] = [
    ("unspecified", "No reason given"),
    ("superseded", "Another token took its place"),
    ("cessation_of_operation", "What used it is no more"),
    ("privilege_withdrawn", "The holder may no longer do this"),
    ("key_compromise", "Somebody else may know the secret"),
    ("leaked", "It was found where everybody can read it"),
];

/// The longest text that a history shows of one value, in characters.
const LONGEST: usize = 600;

/// A reason in words.
pub(super) fn reason(code: &str) -> &str {
    if code == "account_deleted" {
        return "Its account was deleted";
    }
    let known = REASONS.iter().find(|(known, _)| *known == code);
    known.map_or(code, |(_, words)| words)
}

/// A field in words.
pub(super) fn label(field: &str) -> &str {
    match field {
        "name" => "Name",
        "environment" => "Environment",
        "token_prefix" => "Secret begins with",
        "scopes" => "Scopes",
        "metadata" => "Metadata",
        "allowed_cidrs" => "Allowed addresses",
        "rate_limits" => "Rate limits",
        "quotas" => "Quotas",
        "not_before" => "Works from",
        "expires_at" => "Expires",
        "previous_valid_until" => "Earlier secrets work until",
        "state" => "State",
        "is_active" => "Active",
        "revocation_reason" | "reason" => "Reason",
        "revoked_at" => "Revoked",
        "issued_by" => "Issued with token",
        "account_id" => "Account",
        other => other,
    }
}

/// The value of a field in words.
pub(super) fn value(field: &str, value: &Value) -> String {
    match (field, value) {
        ("expires_at", Value::Null) => "never".to_owned(),
        ("not_before", Value::Null) => "at once".to_owned(),
        (_, Value::Null) => "none".to_owned(),
        ("allowed_cidrs", Value::Array(all)) if all.is_empty() => "any".to_owned(),
        ("rate_limits" | "quotas" | "scopes", Value::Array(all)) if all.is_empty() => {
            "none".to_owned()
        }
        ("rate_limits", Value::Array(all)) => each(all, rate_of),
        ("quotas", Value::Array(all)) => each(all, quota_of),
        (_, Value::Array(all)) => each(all, plain),
        ("revocation_reason" | "reason", Value::String(code)) => reason(code).to_owned(),
        (_, Value::String(text)) if field.ends_with("_at") || is_moment(field) => moment(text),
        (_, other) => plain(other),
    }
}

fn is_moment(field: &str) -> bool {
    matches!(field, "not_before" | "previous_valid_until")
}

fn moment(text: &str) -> String {
    match text.parse::<DateTime<Utc>>() {
        Ok(at) => at.format("%-d %b %Y, %H:%M:%S UTC").to_string(),
        Err(_) => text.to_owned(),
    }
}

fn each(all: &[Value], words: impl Fn(&Value) -> String) -> String {
    cut(all.iter().map(words).collect::<Vec<_>>().join(", "))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => cut(text.clone()),
        Value::Object(fields) if fields.is_empty() => "none".to_owned(),
        other => cut(other.to_string()),
    }
}

/// At most as much as people read.
fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn rate_of(limit: &Value) -> String {
    let number = |field| limit[field].as_u64().unwrap_or_default();
    let name = limit["name"].as_str().unwrap_or_default();
    let cost = limit["cost"].as_u64().unwrap_or(1);
    let words = rate(
        number("limit"),
        number("window_seconds"),
        number("burst"),
        cost,
    );
    format!("{name}: {words}")
}

fn quota_of(quota: &Value) -> String {
    let name = quota["name"].as_str().unwrap_or_default();
    let limit = quota["limit"].as_u64().unwrap_or_default();
    let refill = refill(quota["refill"].as_str().unwrap_or_default());
    format!("{name}: {} {refill}", count(limit))
}

/// How often a quota is full again, in words.
pub(super) fn refill(code: &str) -> &str {
    match code {
        "daily" => "a day",
        "monthly" => "a month",
        _ => "in all",
    }
}

/// A rate in words: `600 per 1 minute, 100 at once`.
pub(super) fn rate(limit: u64, window_seconds: u64, burst: u64, cost: u64) -> String {
    let window = i64::try_from(window_seconds).ok();
    let window = window.and_then(TimeDelta::try_seconds).unwrap_or_default();
    // A span in its largest unit is exact only where nothing is left of it.
    let window = match window_seconds {
        86_400.. if window_seconds.is_multiple_of(86_400) && window_seconds < 30 * 86_400 => {
            span(window)
        }
        3_600..86_400 if window_seconds.is_multiple_of(3_600) => span(window),
        60..3_600 if window_seconds.is_multiple_of(60) => span(window),
        _ => format!("{} seconds", count(window_seconds)),
    };
    let mut words = format!("{} per {window}", count(limit));
    if burst != limit {
        words.push_str(&format!(", {} at once", count(burst)));
    }
    if cost != 1 {
        words.push_str(&format!(", {} for each request", count(cost)));
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_are_told_in_words() {
        assert_eq!(rate(600, 60, 600, 1), "600 per 1 minute");
        assert_eq!(rate(600, 60, 100, 1), "600 per 1 minute, 100 at once");
        assert_eq!(rate(5, 90, 5, 2), "5 per 90 seconds, 2 for each request");
        assert_eq!(rate(5, 7_200, 5, 1), "5 per 2 hours");
        assert_eq!(rate(5, 5_400, 5, 1), "5 per 5,400 seconds");
        assert_eq!(rate(5, 2_678_400, 5, 1), "5 per 2,678,400 seconds");
        let quotas = json!([{ "name": "month", "limit": 100_000, "refill": "monthly" }]);
        assert_eq!(value("quotas", &quotas), "month: 100,000 a month");
    }

    #[test]
    fn nothing_has_a_word_of_its_own() {
        assert_eq!(value("expires_at", &Value::Null), "never");
        assert_eq!(value("not_before", &Value::Null), "at once");
        assert_eq!(value("allowed_cidrs", &json!([])), "any");
        assert_eq!(value("scopes", &json!([])), "none");
        assert_eq!(value("metadata", &json!({})), "none");
    }

    #[test]
    fn moments_and_reasons_are_told_as_people_say_them() {
        let at = json!("2026-11-22T13:05:09.123456Z");
        assert_eq!(value("expires_at", &at), "22 Nov 2026, 13:05:09 UTC");
        assert_eq!(
            value("reason", &json!("superseded")),
            "Another token took its place"
        );
        assert_eq!(value("name", &json!("<script>")), "<script>");
        let long = "é".repeat(700);
        assert_eq!(value("name", &json!(long)).chars().count(), 601);
    }
}
