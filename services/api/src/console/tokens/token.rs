//! A token, as the management API shows it.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::values;
use crate::console::api::Api;
use crate::console::id::Id;
use crate::console::stop::Stop;
use crate::console::words::{Moment, count};

/// How many scopes a row of a list shows.
const FIRST_SCOPES: usize = 3;

/// A token.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Token {
    pub(super) id: Uuid,
    pub(super) account_id: Uuid,
    pub(super) name: String,
    pub(super) environment: String,
    pub(super) token_prefix: String,
    pub(super) scopes: Vec<String>,
    pub(super) metadata: Map<String, Value>,
    pub(super) allowed_cidrs: Vec<String>,
    pub(super) rate_limits: Vec<RateLimit>,
    pub(super) quotas: Vec<Quota>,
    pub(super) not_before: Option<DateTime<Utc>>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) state: String,
    pub(super) revocation_reason: Option<String>,
    pub(super) revoked_at: Option<DateTime<Utc>>,
    pub(super) issued_by: Option<Uuid>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) version: u64,
    pub(super) usage_count: Option<i64>,
    pub(super) last_used_at: Option<DateTime<Utc>>,
}

/// How much a token may do in how much time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct RateLimit {
    pub(super) name: String,
    pub(super) limit: u64,
    pub(super) window_seconds: u64,
    pub(super) burst: u64,
    pub(super) cost: u64,
}

/// How many uses a token has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Quota {
    pub(super) name: String,
    pub(super) limit: u64,
    pub(super) refill: String,
}

/// A token and the moment at which a page shows it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The token.
    pub(super) token: Token,
    /// When.
    pub(super) now: DateTime<Utc>,
}

/// Where the management API has a token.
pub(super) fn path(id: Uuid) -> String {
    format!("/v1/tokens/{id}")
}

/// Where the console has a token.
pub(super) fn page_of(id: Uuid) -> String {
    format!("/console/tokens/{id}")
}

/// The token as it is.
///
/// # Errors
/// What the API refuses: also a token that is not the caller's to see.
pub(super) async fn read(api: &Api, id: Uuid) -> Result<Token, Stop> {
    api.get(&path(id), &()).await
}

/// An id as people compare it: its end, which is random where its beginning is a time.
pub(super) fn short(id: &Uuid) -> String {
    format!("…{}", Id::new(id).end())
}

impl Token {
    /// The title of a page about it: no other token has its prefix, and many can have its name.
    pub(super) fn title(&self, what: &str) -> String {
        let own = format!("{} ({})", self.name, self.token_prefix);
        match what {
            "" => own,
            what => format!("{what}: {own}"),
        }
    }
}

impl Seen {
    /// The state that its colour and its word tell: what is active but has yet to begin is scheduled.
    pub(super) fn state(&self) -> &str {
        let begins = self.token.not_before;
        if self.token.state == "active" && begins.is_some_and(|begins| begins > self.now) {
            "scheduled"
        } else {
            &self.token.state
        }
    }

    /// Whether it can be rotated, suspended, edited and so on: not once it is revoked.
    pub(super) fn is_alive(&self) -> bool {
        self.token.state != "revoked"
    }

    /// Whether it may be given a new secret.
    pub(super) fn can_rotate(&self) -> bool {
        !matches!(self.token.state.as_str(), "revoked" | "expired")
    }

    /// Whether it rests.
    pub(super) fn is_suspended(&self) -> bool {
        self.token.state == "suspended"
    }

    /// Where the console has it.
    pub(super) fn page(&self) -> String {
        page_of(self.token.id)
    }

    /// Its owner's id, short.
    pub(super) fn account(&self) -> String {
        short(&self.token.account_id)
    }

    /// The first of its scopes.
    pub(super) fn first_scopes(&self) -> &[String] {
        let most = self.token.scopes.len().min(FIRST_SCOPES);
        &self.token.scopes[..most]
    }

    /// How many scopes it has beside these.
    pub(super) fn more_scopes(&self) -> usize {
        self.token.scopes.len().saturating_sub(FIRST_SCOPES)
    }

    /// How many requests presented it.
    pub(super) fn requests(&self) -> String {
        self.token.usage_count.map(count).unwrap_or_default()
    }

    /// When it was made.
    pub(super) fn created(&self) -> Moment {
        self.moment(self.token.created_at)
    }

    /// When it was changed last.
    pub(super) fn updated(&self) -> Moment {
        self.moment(self.token.updated_at)
    }

    /// When it was last let through.
    pub(super) fn last_used(&self) -> Option<Moment> {
        self.token.last_used_at.map(|at| self.moment(at))
    }

    /// When it begins to work, if that is told.
    pub(super) fn begins(&self) -> Option<Moment> {
        self.token.not_before.map(|at| self.moment(at))
    }

    /// When it stops to work, if it does.
    pub(super) fn expires(&self) -> Option<Moment> {
        self.token.expires_at.map(|at| self.moment(at))
    }

    /// When it was revoked, if it was.
    pub(super) fn revoked(&self) -> Option<Moment> {
        self.token.revoked_at.map(|at| self.moment(at))
    }

    /// Why it was revoked, in words.
    pub(super) fn reason(&self) -> Option<&str> {
        self.token.revocation_reason.as_deref().map(values::reason)
    }

    /// What is kept with it, as JSON.
    pub(super) fn metadata(&self) -> String {
        pretty(&self.token.metadata)
    }

    /// Another moment, as this page shows it.
    pub(super) const fn moment(&self, at: DateTime<Utc>) -> Moment {
        Moment { at, now: self.now }
    }
}

impl RateLimit {
    /// In words: `600 per 1 minute, 100 at once`.
    pub(super) fn words(&self) -> String {
        values::rate(self.limit, self.window_seconds, self.burst, self.cost)
    }
}

/// JSON that people can read; empty for nothing.
pub(super) fn pretty(metadata: &Map<String, Value>) -> String {
    if metadata.is_empty() {
        return String::new();
    }
    serde_json::to_string_pretty(metadata).unwrap_or_default()
}
