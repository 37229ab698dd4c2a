//! The audit log as a table for spreadsheets.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};

use super::AuditRow;

/// The names of the columns.
pub const COLUMNS: [&str; 15] = [
    "at",
    "last_at",
    "outcome",
    "action",
    "actor",
    "account_id",
    "subject_type",
    "subject_id",
    "code",
    "status",
    "count",
    "network",
    "request_id",
    "position",
    "details",
];

/// A row's cells, in the order of [`COLUMNS`].
#[must_use]
pub fn cells(row: &AuditRow) -> [String; 15] {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let plain = |it: &Option<String>| text(it.as_deref().unwrap_or_default()).into_owned();
    fn number(it: Option<impl ToString>) -> String {
        it.map(|it| it.to_string()).unwrap_or_default()
    }
    [
        time(row.at),
        time(row.last_at),
        row.outcome().name().to_owned(),
        plain(&row.action),
        plain(&row.actor),
        number(row.account_id),
        plain(&row.subject_type),
        number(row.subject_id),
        plain(&row.code),
        number(row.status),
        row.count.to_string(),
        plain(&row.network),
        plain(&row.request_id),
        number(row.position()),
        number(row.details.as_ref()),
    ]
}

/// A text that no spreadsheet takes for a formula, because of how it begins.
#[must_use]
pub fn text(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}
