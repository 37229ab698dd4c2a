//! Which tokens a list shows, as its address says it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::console::api::Api;
use crate::console::stop::Stop;

/// What a filter by use says of what was not used at all.
const NEVER: &str = "never";

/// The most days that a filter asks for.
const MOST_DAYS: i64 = 3650;

const NO_DAYS: &str = "Give a number of days from 1 to 3650, such as 30d.";
const NO_USE: &str = "Give a number of days from 1 to 3650, such as 90d, or never.";

/// The filters of the list, as its form sends them: what is empty is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    /// A part of the name.
    pub(super) search: String,
    /// The state.
    pub(super) state: String,
    /// The environment.
    pub(super) environment: String,
    /// A scope that it holds.
    pub(super) scope: String,
    /// How its secret begins.
    pub(super) prefix: String,
    /// The owner, by id or external id. For operators.
    pub(super) account: String,
    /// Within how many days it expires: `30d`.
    pub(super) expiring: String,
    /// For how many days it was not used: `90d`; or `never`.
    pub(super) unused: String,
}

/// The same as the management API is asked.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Asked<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    never_used: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unused_since: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_after: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_before: Option<DateTime<Utc>>,
}

/// An owner that a filter or a form names and nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoSuchAccount;

impl Filter {
    /// What is asked for, by the names in the address.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("search", &self.search),
            ("state", &self.state),
            ("environment", &self.environment),
            ("scope", &self.scope),
            ("prefix", &self.prefix),
            ("account", &self.account),
            ("expiring", &self.expiring),
            ("unused", &self.unused),
        ];
        let all = all.into_iter().map(|(name, value)| (name, value.trim()));
        all.filter(|(_, value)| !value.is_empty())
    }

    /// What is wrong with a field that nobody but this form reads, by its name in the address.
    pub(super) fn complaint(&self, field: &str) -> Vec<&'static str> {
        let (typed, complaint, is_other) = match field {
            "expiring" => (&self.expiring, NO_DAYS, false),
            "unused" => (&self.unused, NO_USE, self.unused.trim() == NEVER),
            _ => return Vec::new(),
        };
        let is_read = typed.trim().is_empty() || is_other || days(typed).is_some();
        (!is_read).then_some(complaint).into_iter().collect()
    }

    /// Whether each field says something. What says nothing must not be passed over: more would be meant.
    pub(super) fn is_readable(&self) -> bool {
        let own = ["expiring", "unused"];
        own.iter().all(|field| self.complaint(field).is_empty())
    }

    /// Whether every token is asked for.
    pub(super) fn is_everything(&self) -> bool {
        self.pairs().next().is_none()
    }

    /// What is asked for, in words.
    pub(super) fn words(&self) -> Vec<String> {
        let words = self.pairs().map(|(name, value)| match name {
            "search" => format!("name holds “{value}”"),
            "state" => format!("state is {value}"),
            "environment" => format!("environment is {value}"),
            "scope" => format!("holds the scope {value}"),
            "prefix" => format!("begins with {value}"),
            "account" => format!("belongs to the account {value}"),
            "expiring" => format!("expires within {} days", value.trim_end_matches('d')),
            _ if value == NEVER => "was never used".to_owned(),
            _ => format!("was not used for {} days", value.trim_end_matches('d')),
        });
        words.collect()
    }

    /// As the management API is asked for it at `now`, of this owner if one is named.
    pub(super) fn asked(&self, account: Option<Uuid>, now: DateTime<Utc>) -> Asked<'_> {
        fn given(text: &str) -> Option<&str> {
            Some(text.trim()).filter(|text| !text.is_empty())
        }
        let expires_before = days(&self.expiring).and_then(|days| now.checked_add_signed(days));
        // What is over expires no more: nobody asks for that with what is about to.
        let state = given(&self.state).or_else(|| expires_before.map(|_| "active"));
        Asked {
            account_id: account,
            state,
            environment: given(&self.environment),
            scope: given(&self.scope),
            prefix: given(&self.prefix),
            search: given(&self.search),
            never_used: (self.unused.trim() == NEVER).then_some(true),
            unused_since: days(&self.unused).and_then(|days| now.checked_sub_signed(days)),
            expires_after: expires_before.map(|_| now),
            expires_before,
        }
    }
}

/// A number of days, as an address holds it: `30d`.
fn days(text: &str) -> Option<TimeDelta> {
    let number = text.trim().strip_suffix('d').unwrap_or(text.trim());
    let number = number
        .parse()
        .ok()
        .filter(|days| (1..=MOST_DAYS).contains(days));
    number.map(TimeDelta::days)
}

/// The account that somebody names, by its id or by its external id; none where nobody is named.
///
/// # Errors
/// What the API refuses; and, within, that there is no such account.
pub(super) async fn account(
    api: &Api,
    named: &str,
) -> Result<Result<Option<Uuid>, NoSuchAccount>, Stop> {
    #[derive(Serialize)]
    struct Query<'a> {
        external_id: &'a str,
    }
    #[derive(Deserialize)]
    struct Page {
        items: Vec<Account>,
    }
    #[derive(Deserialize)]
    struct Account {
        id: Uuid,
    }
    let named = named.trim();
    if named.is_empty() {
        return Ok(Ok(None));
    }
    if let Ok(id) = named.parse() {
        return Ok(Ok(Some(id)));
    }
    let query = Query { external_id: named };
    let page: Page = api.get("/v1/accounts", &query).await?;
    let found = page.items.first().map(|account| account.id);
    Ok(found.map(Some).ok_or(NoSuchAccount))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_is_not_asked_for() {
        let now = DateTime::UNIX_EPOCH;
        let asked = serde_html_form::to_string(Filter::default().asked(None, now));
        assert_eq!(asked.unwrap(), "");
        let filter = Filter {
            search: " ci ".to_owned(),
            expiring: "30d".to_owned(),
            ..Filter::default()
        };
        assert!(!filter.is_everything());
        let asked = serde_html_form::to_string(filter.asked(None, now)).unwrap();
        assert_eq!(
            asked,
            "state=active&search=ci&expires_after=1970-01-01T00%3A00%3A00Z\
            &expires_before=1970-01-31T00%3A00%3A00Z"
        );
        let words = ["name holds “ci”", "expires within 30 days"];
        assert_eq!(filter.words(), words);
    }

    #[test]
    fn what_is_not_used_is_asked_for_by_its_time_or_altogether() {
        let of = |unused: &str| Filter {
            unused: unused.to_owned(),
            ..Filter::default()
        };
        let asked = |filter: &Filter| {
            let now = DateTime::UNIX_EPOCH + TimeDelta::days(90);
            serde_html_form::to_string(filter.asked(None, now)).unwrap()
        };
        let long = of("90d");
        assert_eq!(asked(&long), "unused_since=1970-01-01T00%3A00%3A00Z");
        assert_eq!(long.words(), ["was not used for 90 days"]);
        let never = of(" never ");
        assert_eq!(asked(&never), "never_used=true");
        assert_eq!(never.words(), ["was never used"]);
    }

    #[test]
    fn days_are_a_number_within_reason() {
        assert_eq!(days("7d"), Some(TimeDelta::days(7)));
        assert_eq!(days("7"), Some(TimeDelta::days(7)));
        let of = |text: &str| Filter {
            expiring: text.to_owned(),
            ..Filter::default()
        };
        assert!(of("").is_readable() && of(" 7d ").is_readable());
        for bad in ["d", "0d", "-1d", "3651d", "x", "1h", "never"] {
            assert_eq!(days(bad), None, "{bad}");
            assert_eq!(of(bad).complaint("expiring"), [NO_DAYS], "{bad}");
            assert!(!of(bad).is_readable(), "{bad}");
        }
    }
}
