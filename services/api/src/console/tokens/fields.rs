//! The form about a token, as it is typed, and as the management API is asked for what it says.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::times::{moment, typed};
use super::token::{Token, pretty};
use crate::console::refused::{Complaint, Refused};
use crate::console::rows::{self, QuotaRow, at};

/// How many rate limits and quotas a token may have.
const MOST_LIMITS: usize = 8;
const MOST_QUOTAS: usize = 4;

/// The days that a token can be given to live by one click.
pub(super) const PRESETS: [(&str, &str, i64); 5] = [
    ("7d", "7 days", 7),
    ("30d", "30 days", 30),
    ("60d", "60 days", 60),
    ("90d", "90 days", 90),
    ("365d", "1 year", 365),
];

/// What was typed. Texts are what they are in the form's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    /// By which the change is made once.
    pub(super) key: String,
    /// The version that was shown; 0 of a token that is to be.
    pub(super) version: u64,
    /// The owner, by id or external id.
    pub(super) account: String,
    pub(super) name: String,
    pub(super) environment: String,
    /// One a line, or with spaces or commas between.
    pub(super) scopes: String,
    /// A preset, `at`, `longest`, `never` or `keep`.
    pub(super) expiry: String,
    /// For `at`: a time of day of a date, UTC.
    pub(super) expires_at: String,
    /// One a line, or with spaces or commas between.
    pub(super) allowed_cidrs: String,
    pub(super) limit_name: Vec<String>,
    pub(super) limit_units: Vec<String>,
    pub(super) limit_window: Vec<String>,
    pub(super) limit_burst: Vec<String>,
    pub(super) limit_cost: Vec<String>,
    pub(super) quota_name: Vec<String>,
    pub(super) quota_uses: Vec<String>,
    pub(super) quota_refill: Vec<String>,
    /// A JSON object, or nothing.
    pub(super) metadata: String,
}

/// A row of the rate limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LimitRow {
    pub(super) name: String,
    pub(super) units: String,
    pub(super) window: String,
    pub(super) burst: String,
    pub(super) cost: String,
}

/// What is wrong with what was typed, each with its place in the body.
#[derive(Debug, Default)]
pub(super) struct Wrong(Vec<Complaint>);

impl Wrong {
    pub(super) fn add(&mut self, pointer: impl Into<String>, detail: &str) {
        self.0.push(Complaint {
            pointer: pointer.into(),
            detail: detail.to_owned(),
        });
    }

    /// As the management API would have said it; none if nothing is wrong.
    pub(super) fn refused(self) -> Option<Refused> {
        let detail = match self.0.as_slice() {
            [] => return None,
            [only] => only.detail.clone(),
            several => format!("{} fields cannot be accepted", several.len()),
        };
        Some(Refused {
            status: 422,
            title: "The form cannot be accepted".to_owned(),
            detail,
            code: "INVALID_FIELDS".to_owned(),
            request_id: String::new(),
            errors: self.0,
        })
    }
}

impl Fields {
    /// The form that says what the token is.
    pub(super) fn of(token: &Token) -> Self {
        let limits = &token.rate_limits;
        let quotas = &token.quotas;
        Self {
            version: token.version,
            name: token.name.clone(),
            environment: token.environment.clone(),
            scopes: token.scopes.join("\n"),
            expiry: "keep".to_owned(),
            expires_at: token.expires_at.map(typed).unwrap_or_default(),
            allowed_cidrs: token.allowed_cidrs.join("\n"),
            limit_name: limits.iter().map(|it| it.name.clone()).collect(),
            limit_units: limits.iter().map(|it| it.limit.to_string()).collect(),
            limit_window: limits
                .iter()
                .map(|it| it.window_seconds.to_string())
                .collect(),
            limit_burst: limits.iter().map(|it| it.burst.to_string()).collect(),
            limit_cost: limits.iter().map(|it| it.cost.to_string()).collect(),
            quota_name: quotas.iter().map(|it| it.name.clone()).collect(),
            quota_uses: quotas.iter().map(|it| it.limit.to_string()).collect(),
            quota_refill: quotas.iter().map(|it| it.refill.clone()).collect(),
            metadata: pretty(&token.metadata),
            ..Self::default()
        }
    }

    /// The rows of the rate limits in which something was typed.
    pub(super) fn limits(&self) -> Vec<LimitRow> {
        let rows = (0..self.limit_name.len()).map(|row| LimitRow {
            name: at(&self.limit_name, row),
            units: at(&self.limit_units, row),
            window: at(&self.limit_window, row),
            burst: at(&self.limit_burst, row),
            cost: at(&self.limit_cost, row),
        });
        let is_used = |row: &LimitRow| !(row.name.is_empty() && row.units.is_empty());
        rows.filter(is_used).collect()
    }

    /// The rows of the quotas in which something was typed.
    pub(super) fn quotas(&self) -> Vec<QuotaRow> {
        QuotaRow::typed(&self.quota_name, &self.quota_uses, &self.quota_refill)
    }

    /// As many rows as a token may have rate limits.
    pub(super) fn limit_rows(&self) -> Vec<LimitRow> {
        let mut rows = self.limits();
        rows.resize(rows.len().max(MOST_LIMITS), LimitRow::default());
        rows
    }

    /// As many rows as a token may have quotas.
    pub(super) fn quota_rows(&self) -> Vec<QuotaRow> {
        let mut rows = self.quotas();
        rows.resize(rows.len().max(MOST_QUOTAS), QuotaRow::default());
        rows
    }

    /// Everything of a token that is to be.
    pub(super) fn whole(&self, wrong: &mut Wrong) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("name".to_owned(), json!(self.name.trim()));
        body.insert("environment".to_owned(), json!(self.environment));
        body.insert("scopes".to_owned(), json!(words(&self.scopes)));
        body.insert(
            "allowed_cidrs".to_owned(),
            json!(words(&self.allowed_cidrs)),
        );
        body.insert("rate_limits".to_owned(), self.rate_limits(wrong));
        body.insert("quotas".to_owned(), self.quota_list(wrong));
        body.insert("metadata".to_owned(), self.metadata(wrong));
        // Counted by the API, so that the same form sent twice is the same request.
        if let Some(days) = preset(&self.expiry) {
            body.insert("expires_in_minutes".to_owned(), json!(days.num_minutes()));
        } else if self.expiry == "at" {
            body.insert("expires_at".to_owned(), self.moment(wrong));
        }
        body
    }

    /// What is not as it was shown: the fields that the person changed, and no other.
    pub(super) fn changes(
        &self,
        shown: &Token,
        now: DateTime<Utc>,
        wrong: &mut Wrong,
    ) -> Map<String, Value> {
        let before = Self::of(shown);
        let mut body = Map::new();
        if self.name.trim() != before.name {
            body.insert("name".to_owned(), json!(self.name.trim()));
        }
        if words(&self.scopes) != words(&before.scopes) {
            body.insert("scopes".to_owned(), json!(words(&self.scopes)));
        }
        if words(&self.allowed_cidrs) != words(&before.allowed_cidrs) {
            body.insert(
                "allowed_cidrs".to_owned(),
                json!(words(&self.allowed_cidrs)),
            );
        }
        if self.limits() != before.limits() {
            body.insert("rate_limits".to_owned(), self.rate_limits(wrong));
        }
        if self.quotas() != before.quotas() {
            body.insert("quotas".to_owned(), self.quota_list(wrong));
        }
        let metadata = self.metadata(wrong);
        if metadata.as_object().is_some_and(|it| *it != shown.metadata) {
            body.insert("metadata".to_owned(), metadata);
        }
        if let Some(expires_at) = self.new_expiry(now, wrong) {
            body.insert("expires_at".to_owned(), expires_at);
        }
        body
    }

    /// The new end; none where it stays as it is.
    pub(super) fn new_expiry(&self, now: DateTime<Utc>, wrong: &mut Wrong) -> Option<Value> {
        match self.expiry.as_str() {
            "never" => Some(Value::Null),
            "at" => Some(self.moment(wrong)),
            other => {
                let end = preset(other).and_then(|days| now.checked_add_signed(days));
                end.map(|end| json!(end.to_rfc3339_opts(SecondsFormat::Micros, true)))
            }
        }
    }

    fn moment(&self, wrong: &mut Wrong) -> Value {
        match moment(&self.expires_at) {
            Some(at) => json!(at.to_rfc3339_opts(SecondsFormat::Micros, true)),
            None => {
                wrong.add("/expires_at", "this is a date and a time of day, UTC");
                Value::Null
            }
        }
    }

    /// The rate limits as the API takes them.
    pub(super) fn rate_limits(&self, wrong: &mut Wrong) -> Value {
        let limits = self.limits();
        let limits = limits.iter().enumerate().map(|(place, row)| {
            let mut limit = Map::new();
            limit.insert("name".to_owned(), json!(row.name));
            let fields = [
                ("limit", &row.units),
                ("window_seconds", &row.window),
                ("burst", &row.burst),
                ("cost", &row.cost),
            ];
            for (field, text) in fields {
                // What is left to the API is what it says of nothing.
                if text.is_empty() && matches!(field, "burst" | "cost") {
                    continue;
                }
                let pointer = format!("/rate_limits/{place}/{field}");
                limit.insert(field.to_owned(), number(text, pointer, wrong));
            }
            Value::Object(limit)
        });
        Value::Array(limits.collect())
    }

    fn quota_list(&self, wrong: &mut Wrong) -> Value {
        let quotas = self.quotas();
        let quotas = quotas.iter().enumerate().map(|(place, row)| {
            let limit = number(&row.uses, format!("/quotas/{place}/limit"), wrong);
            let refill = if row.refill.is_empty() {
                "none"
            } else {
                &row.refill
            };
            json!({ "name": row.name, "limit": limit, "refill": refill })
        });
        Value::Array(quotas.collect())
    }

    fn metadata(&self, wrong: &mut Wrong) -> Value {
        let text = self.metadata.trim();
        if text.is_empty() {
            return json!({});
        }
        match serde_json::from_str::<Map<String, Value>>(text) {
            Ok(metadata) => Value::Object(metadata),
            Err(error) => {
                wrong.add("/metadata", &format!("this is no JSON object: {error}"));
                Value::Null
            }
        }
    }
}

/// A list as people type it.
pub(super) fn words(text: &str) -> Vec<&str> {
    let words = text.split(|it: char| it.is_whitespace() || it == ',');
    words.filter(|word| !word.is_empty()).collect()
}

fn preset(expiry: &str) -> Option<TimeDelta> {
    let found = PRESETS.iter().find(|(value, _, _)| *value == expiry);
    found.map(|(_, _, days)| TimeDelta::days(*days))
}

fn number(text: &str, pointer: String, wrong: &mut Wrong) -> Value {
    match rows::number(text) {
        Some(number) => json!(number),
        None => {
            wrong.add(pointer, "this is a whole number");
            json!(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Fields {
        serde_html_form::from_str(text).unwrap()
    }

    #[test]
    fn rows_in_which_nothing_is_typed_are_none() {
        let typed = form(
            "limit_name=&limit_units=&limit_window=60&limit_burst=&limit_cost=\
            &limit_name=requests&limit_units=1,000&limit_window=60&limit_burst=&limit_cost=",
        );
        let mut wrong = Wrong::default();
        let body = typed.whole(&mut wrong);
        assert!(wrong.refused().is_none());
        let limit = json!({ "name": "requests", "limit": 1000, "window_seconds": 60 });
        assert_eq!(body["rate_limits"], json!([limit]));
        assert_eq!(body["quotas"], json!([]));
        assert_eq!(typed.limit_rows().len(), MOST_LIMITS);
    }

    #[test]
    fn lists_are_taken_as_people_type_them() {
        let typed = form("scopes=a%3Ab%0D%0Ac%2C+d&allowed_cidrs=+10.0.0.0%2F8%0A");
        let body = typed.whole(&mut Wrong::default());
        assert_eq!(body["scopes"], json!(["a:b", "c", "d"]));
        assert_eq!(body["allowed_cidrs"], json!(["10.0.0.0/8"]));
    }

    #[test]
    fn what_is_no_number_no_moment_and_no_object_is_said_so() {
        let typed = form(
            "limit_name=a&limit_units=many&limit_window=60&quota_name=b&quota_uses=-1\
            &metadata=%5B%5D&expiry=at&expires_at=tomorrow",
        );
        let mut wrong = Wrong::default();
        typed.whole(&mut wrong);
        let refused = wrong.refused().expect("four complaints");
        let pointers: Vec<_> = refused
            .errors
            .iter()
            .map(|it| it.pointer.as_str())
            .collect();
        let expected = [
            "/rate_limits/0/limit",
            "/quotas/0/limit",
            "/metadata",
            "/expires_at",
        ];
        assert_eq!(pointers, expected);
    }
}
