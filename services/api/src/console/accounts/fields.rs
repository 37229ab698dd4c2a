//! The form about an account, as it is typed, and as the management API is asked for what it says.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::account::Account;
use crate::console::refused::Refused;
use crate::console::rows::{self, QuotaRow, at};

/// Rows for rate limits and quotas that the form has: what an account may have.
const LIMITS: usize = 8;
const QUOTAS: usize = 4;

/// What was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    /// By which it is registered once.
    pub(super) key: String,
    /// The version that was shown.
    pub(super) version: u64,
    pub(super) name: String,
    pub(super) external_id: String,
    pub(super) email: String,
    pub(super) role: String,
    pub(super) token_limit: String,
    pub(super) limit_name: Vec<String>,
    pub(super) limit_units: Vec<String>,
    pub(super) limit_window: Vec<String>,
    pub(super) limit_burst: Vec<String>,
    pub(super) quota_name: Vec<String>,
    pub(super) quota_uses: Vec<String>,
    pub(super) quota_refill: Vec<String>,
}

/// A row of the rate limits.
#[derive(Debug, Clone, Default)]
pub(super) struct LimitRow {
    pub(super) name: String,
    pub(super) units: String,
    pub(super) window: String,
    pub(super) burst: String,
}

impl Fields {
    /// The form that says what the account is.
    pub(super) fn of(account: &Account) -> Self {
        let (limits, quotas) = (&account.rate_limits, &account.quotas);
        let burst = |burst: u64, limit: u64| match burst == limit {
            true => String::new(),
            false => burst.to_string(),
        };
        Self {
            key: String::new(),
            version: account.version,
            name: account.name.clone().unwrap_or_default(),
            external_id: account.external_id.clone().unwrap_or_default(),
            email: account.email.clone().unwrap_or_default(),
            role: account.role.clone(),
            token_limit: account
                .token_limit
                .map(|it| it.to_string())
                .unwrap_or_default(),
            limit_name: limits.iter().map(|it| it.name.clone()).collect(),
            limit_units: limits.iter().map(|it| it.limit.to_string()).collect(),
            limit_window: limits
                .iter()
                .map(|it| it.window_seconds.to_string())
                .collect(),
            limit_burst: limits.iter().map(|it| burst(it.burst, it.limit)).collect(),
            quota_name: quotas.iter().map(|it| it.name.clone()).collect(),
            quota_uses: quotas.iter().map(|it| it.limit.to_string()).collect(),
            quota_refill: quotas.iter().map(|it| it.refill.clone()).collect(),
        }
    }

    /// The rows in which something was typed.
    fn limits(&self) -> Vec<LimitRow> {
        let rows = (0..self.limit_name.len()).map(|row| LimitRow {
            name: at(&self.limit_name, row),
            units: at(&self.limit_units, row),
            window: at(&self.limit_window, row),
            burst: at(&self.limit_burst, row),
        });
        rows.filter(|row| !(row.name.is_empty() && row.units.is_empty()))
            .collect()
    }

    fn quotas(&self) -> Vec<QuotaRow> {
        QuotaRow::typed(&self.quota_name, &self.quota_uses, &self.quota_refill)
    }

    /// The rows of the form: what there is, and room for one more.
    pub(super) fn limit_rows(&self) -> Vec<LimitRow> {
        let mut rows = self.limits();
        rows.resize((rows.len() + 1).min(LIMITS), LimitRow::default());
        rows
    }

    /// The same of quotas.
    pub(super) fn quota_rows(&self) -> Vec<QuotaRow> {
        let mut rows = self.quotas();
        rows.resize((rows.len() + 1).min(QUOTAS), QuotaRow::default());
        rows
    }

    /// The body that asks for all of it.
    pub(super) fn body(&self) -> Map<String, Value> {
        let limits = self.limits().into_iter().map(|row| {
            let mut limit = Map::from_iter([
                ("name".to_owned(), row.name.into()),
                ("limit".to_owned(), number(&row.units)),
                ("window_seconds".to_owned(), number(&row.window)),
            ]);
            if !row.burst.is_empty() {
                limit.insert("burst".to_owned(), number(&row.burst));
            }
            Value::Object(limit)
        });
        let quotas = self.quotas().into_iter().map(
            |row| json!({ "name": row.name, "limit": number(&row.uses), "refill": row.refill }),
        );
        let body = [
            ("name", text(&self.name)),
            ("external_id", text(&self.external_id)),
            ("email", text(&self.email)),
            ("role", text(&self.role)),
            ("token_limit", optional(&self.token_limit)),
            ("rate_limits", limits.collect()),
            ("quotas", quotas.collect()),
        ];
        body.map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect()
    }
}

/// What is wrong with what was typed, beside its field.
#[derive(Debug, Default)]
pub(super) struct Complaints(Option<Refused>);

impl From<Refused> for Complaints {
    fn from(refused: Refused) -> Self {
        Self(Some(refused))
    }
}

impl Complaints {
    /// About the field at this place of the body.
    pub(super) fn about(&self, pointer: &str) -> Vec<&str> {
        let refused = self.0.as_ref();
        refused.map(|it| it.about(pointer)).unwrap_or_default()
    }

    /// What is wrong with no field of the form in particular.
    pub(super) fn detail(&self) -> Option<&str> {
        self.0.as_ref().map(|it| it.detail.as_str())
    }
}

fn text(typed: &str) -> Value {
    match typed.trim() {
        "" => Value::Null,
        text => text.into(),
    }
}

fn optional(typed: &str) -> Value {
    match typed.trim() {
        "" => Value::Null,
        text => number(text),
    }
}

/// A number, or what was typed in its place, for the management API to complain about.
fn number(typed: &str) -> Value {
    rows::number(typed).map_or_else(|| typed.into(), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_asked_for() {
        let fields = Fields {
            name: " Shop ".to_owned(),
            token_limit: "1,000".to_owned(),
            limit_name: vec!["requests".to_owned(), String::new()],
            limit_units: vec!["60".to_owned(), String::new()],
            limit_window: vec!["sixty".to_owned(), "60".to_owned()],
            quota_name: vec!["month".to_owned()],
            quota_uses: vec!["5".to_owned()],
            quota_refill: vec!["monthly".to_owned()],
            ..Fields::default()
        };
        let expected = json!({
            "name": "Shop", "external_id": null, "email": null, "role": null, "token_limit": 1_000,
            "rate_limits": [{ "name": "requests", "limit": 60, "window_seconds": "sixty" }],
            "quotas": [{ "name": "month", "limit": 5, "refill": "monthly" }],
        });
        assert_eq!(Value::Object(fields.body()), expected);
        assert_eq!(fields.limit_rows().len(), 2);
    }
}
