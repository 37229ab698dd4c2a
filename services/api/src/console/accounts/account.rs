//! An account, as the management API tells of it, and what of its tokens.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::console::api::Api;
use crate::console::stop::Stop;
use crate::console::words::{self, Moment};

/// As many tokens as are counted one by one.
const MOST: usize = 200;

/// An account.
#[derive(Debug, Deserialize)]
pub(super) struct Account {
    pub(super) id: Uuid,
    pub(super) external_id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) role: String,
    pub(super) token_limit: Option<u32>,
    pub(super) rate_limits: Vec<RateLimit>,
    pub(super) quotas: Vec<Quota>,
    pub(super) state: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    pub(super) version: u64,
}

/// How much all its tokens may do in how much time.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RateLimit {
    pub(super) name: String,
    pub(super) limit: u64,
    pub(super) window_seconds: u64,
    pub(super) burst: u64,
    pub(super) cost: u64,
}

/// How many uses all its tokens have.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Quota {
    pub(super) name: String,
    pub(super) limit: u64,
    pub(super) refill: String,
}

impl Account {
    /// Reads the one of this id.
    ///
    /// # Errors
    /// What the API refuses: 404 for one that is not there.
    pub(super) async fn read(api: &Api, id: Uuid) -> Result<Self, Stop> {
        api.get(&format!("/v1/accounts/{id}"), &()).await
    }

    /// What people call it: by its name, else by the name by which others know it, else by its id.
    pub(super) fn title(&self) -> String {
        let named = self.name.as_ref().or(self.external_id.as_ref());
        named.cloned().unwrap_or_else(|| self.id.to_string())
    }

    /// Where its page is.
    pub(super) fn page(&self) -> String {
        page_of(self.id)
    }

    /// When it was registered.
    pub(super) fn created(&self, now: DateTime<Utc>) -> Moment {
        Moment {
            at: self.created_at,
            now,
        }
    }

    /// When it was changed last.
    pub(super) fn updated(&self, now: DateTime<Utc>) -> Moment {
        Moment {
            at: self.updated_at,
            now,
        }
    }

    /// Whether it is there for good.
    pub(super) fn is_deleted(&self) -> bool {
        self.state == "deleted"
    }

    /// How many live tokens it may have, in words.
    pub(super) fn limit_of_tokens(&self) -> String {
        match self.token_limit {
            None => "as many as the installation allows".to_owned(),
            Some(0) => "no limit".to_owned(),
            Some(most) => words::count(most),
        }
    }
}

/// Where the page of an account is.
pub(super) fn page_of(id: Uuid) -> String {
    format!("/console/accounts/{id}")
}

impl RateLimit {
    /// Such as `6,000 per minute, at most 1,000 at once`.
    pub(super) fn words(&self) -> String {
        let window = match self.window_seconds {
            1 => "second".to_owned(),
            60 => "minute".to_owned(),
            3_600 => "hour".to_owned(),
            86_400 => "day".to_owned(),
            seconds => format!("{} seconds", words::count(seconds)),
        };
        let mut text = format!("{} per {window}", words::count(self.limit));
        if self.burst != self.limit {
            text += &format!(", at most {} at once", words::count(self.burst));
        }
        if self.cost != 1 {
            text += &format!(", {} each", words::count(self.cost));
        }
        text
    }
}

#[derive(Debug, Serialize)]
struct Asked {
    account_id: Uuid,
    state: &'static str,
    limit: usize,
}

#[derive(Debug, Deserialize)]
struct Answer {
    items: Vec<serde::de::IgnoredAny>,
    next_cursor: Option<String>,
}

/// How many tokens of the account are active, in words.
///
/// # Errors
/// What the API refuses.
pub(super) async fn active_tokens(api: &Api, account_id: Uuid) -> Result<String, Stop> {
    let asked = Asked {
        account_id,
        state: "active",
        limit: MOST,
    };
    let answer: Answer = api.get("/v1/tokens", &asked).await?;
    Ok(match (answer.items.len(), answer.next_cursor) {
        (1, None) => "1 active token".to_owned(),
        (number, None) => format!("{number} active tokens"),
        (number, Some(_)) => format!("more than {number} active tokens"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_limit_is_said_in_words() {
        let said = |limit, window_seconds, burst, cost| {
            let name = "requests".to_owned();
            let limit = RateLimit {
                name,
                limit,
                window_seconds,
                burst,
                cost,
            };
            limit.words()
        };
        assert_eq!(said(6_000, 60, 6_000, 1), "6,000 per minute");
        let all = "10 per 7,200 seconds, at most 20 at once, 2 each";
        assert_eq!(said(10, 7_200, 20, 2), all);
    }
}
