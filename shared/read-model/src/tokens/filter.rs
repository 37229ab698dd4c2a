//! Which tokens to list.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Postgres, QueryBuilder};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::{Status, Token};
use uuid::{Builder, Uuid};

use super::conditions::{has_trigram, push_prefix, push_scope, push_search, push_state};
use super::index::{Order, Rare};
use crate::Reach;

/// A time of creation and the time in the id are read from one clock, but not at one moment.
const SLACK: TimeDelta = TimeDelta::minutes(1);

/// A stretch of time: from `after` on, up to but without `before`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// The first moment of it.
    pub after: Option<DateTime<Utc>>,
    /// The first moment that is past it.
    pub before: Option<DateTime<Utc>>,
}

impl Period {
    /// Whether the time, if there is one, lies within it. Without bounds it holds no time as well.
    fn holds(self, time: Option<DateTime<Utc>>) -> bool {
        let begun = |after| time.is_some_and(|time| time >= after);
        let not_over = |before| time.is_some_and(|time| time < before);
        self.after.is_none_or(begun) && self.before.is_none_or(not_over)
    }

    /// Whether it sets any bound.
    pub(super) fn is_bounded(self) -> bool {
        self.after.is_some() || self.before.is_some()
    }

    pub(super) fn push(self, sql: &mut QueryBuilder<Postgres>, column: &str) {
        if let Some(after) = self.after {
            sql.push(format_args!(" and {column} >= ")).push_bind(after);
        }
        if let Some(before) = self.before {
            sql.push(format_args!(" and {column} < ")).push_bind(before);
        }
    }
}

/// Which tokens to list: those that fulfil everything that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenFilter {
    /// Only those of this account.
    pub account: Option<AccountId>,
    /// Only those in this state.
    pub state: Option<Status>,
    /// Only those for this environment.
    pub environment: Option<Environment>,
    /// Only those that hold exactly this scope.
    pub scope: Option<String>,
    /// Only those whose `token_prefix` begins so.
    pub prefix: Option<String>,
    /// Only those whose name holds this, whatever the case.
    pub search: Option<String>,
    /// Only those that were issued with this token.
    pub issued_by: Option<TokenId>,
    /// Only those that were created then.
    pub created: Period,
    /// Only those that were last let through then.
    pub last_used: Period,
    /// Only those that expire then.
    pub expires: Period,
    /// Only those that were never let through; or only those that were.
    pub never_used: Option<bool>,
    /// Only those that were neither let through nor issued since.
    pub unused_since: Option<DateTime<Utc>>,
}

impl TokenFilter {
    /// The filter for what may be seen of it; none if that is nothing.
    pub(super) fn within(&self, reach: Reach) -> Option<Self> {
        let account = match (reach, self.account) {
            // An account that is not the caller's has no tokens as far as the caller can tell.
            (Reach::Account(own), Some(asked)) if own != asked => return None,
            (Reach::Account(own), _) => Some(own),
            (Reach::All, asked) => asked,
        };
        Some(Self {
            account,
            ..self.clone()
        })
    }

    /// Whether a token, as it is or was at `at`, is meant. Its usage is not asked for.
    #[must_use]
    pub fn matches(&self, token: &Token, at: DateTime<Utc>) -> bool {
        fn fits<T>(wanted: Option<&T>, is: impl FnOnce(&T) -> bool) -> bool {
            wanted.is_none_or(is)
        }
        let name = token.name.as_str().to_lowercase();
        fits(self.account.as_ref(), |it| *it == token.account_id)
            && fits(self.state.as_ref(), |it| *it == token.status(at))
            && fits(self.environment.as_ref(), |it| *it == token.environment)
            && fits(self.scope.as_ref(), |it| {
                token.scopes.iter().any(|scope| scope == it)
            })
            && fits(self.prefix.as_ref(), |it| {
                token.token_prefix.starts_with(it.as_str())
            })
            && fits(self.search.as_ref(), |it| name.contains(&it.to_lowercase()))
            && fits(self.issued_by.as_ref(), |it| token.issued_by == Some(*it))
            && self.created.holds(Some(token.created_at))
            && self.expires.holds(token.validity.expires_at)
    }

    /// The ids that tokens of the given time of creation can have.
    pub(super) fn ids(&self) -> (Uuid, Uuid) {
        let issued_before = [self.created.before, self.unused_since]
            .into_iter()
            .flatten();
        let low = self.created.after.map(|time| first_id(time - SLACK));
        let high = issued_before.min().map(|time| first_id(time + SLACK));
        (low.unwrap_or(Uuid::nil()), high.unwrap_or(Uuid::max()))
    }

    /// The narrowest order in which all that is asked for can be met; the ids' own if none.
    pub(super) fn order(&self) -> Option<Order> {
        let by_issuer = self.issued_by.map(Order::of_issuer);
        by_issuer
            .or_else(|| self.account.map(Order::of_account))
            .or_else(|| self.state.and_then(Order::of_state))
            .or_else(|| self.environment.and_then(Order::of_environment))
    }

    /// Whether tokens have to be looked at to tell those that are meant; otherwise every token of
    /// the order is one.
    pub(super) fn selects(&self) -> bool {
        let Self {
            account,
            state,
            environment,
            scope,
            prefix,
            search,
            issued_by,
            created,
            last_used: _,
            expires,
            never_used: _,
            unused_since: _,
        } = self;
        let beside_order = match (issued_by, account) {
            (Some(_), Some(_)) => true,
            _ => state.is_some() || environment.is_some(),
        };
        beside_order
            || scope.is_some()
            || prefix.is_some()
            || search.is_some()
            // The ids tell the time of creation roughly.
            || created.is_bounded()
            || expires.is_bounded()
            || self.asks_of_use()
    }

    /// Whether their use has to be looked at.
    fn asks_of_use(&self) -> bool {
        self.last_used.is_bounded() || self.never_used.is_some() || self.unused_since.is_some()
    }

    /// Whether those in question were not used, or not for long.
    pub(super) fn asks_of_no_use(&self) -> bool {
        self.never_used == Some(true) || self.unused_since.is_some()
    }

    /// What the use of those in question is not, as the totals of use tell it.
    pub(super) fn push_use(&self, sql: &mut QueryBuilder<Postgres>) {
        match self.unused_since {
            Some(since) if self.never_used != Some(true) => {
                sql.push(" and last_used_at >= ").push_bind(since);
            }
            _ => {
                sql.push(" and last_used_at is not null");
            }
        }
    }

    /// Everything that is asked for, of the tables `t` (tokens) and `u` (totals of use).
    pub(super) fn push(&self, sql: &mut QueryBuilder<Postgres>, now: DateTime<Utc>) {
        if let Some(account) = self.account {
            sql.push(" and t.account_id = ").push_bind(account.0);
        }
        if let Some(issuer) = self.issued_by {
            sql.push(" and t.issued_by = ").push_bind(issuer.0);
        }
        if let Some(state) = self.state {
            push_state(sql, state, now);
        }
        if let Some(environment) = self.environment {
            sql.push(" and t.environment = ")
                .push_bind(environment.as_str());
        }
        if let Some(scope) = &self.scope {
            push_scope(sql, scope);
        }
        if let Some(prefix) = &self.prefix {
            push_prefix(sql, prefix);
        }
        if let Some(search) = &self.search {
            push_search(sql, search);
        }
        self.created.push(sql, "t.created_at");
        self.expires.push(sql, "t.expires_at");
        self.last_used.push(sql, "u.last_used_at");
        match self.never_used {
            None => {}
            Some(true) => {
                sql.push(" and u.last_used_at is null");
            }
            Some(false) => {
                sql.push(" and u.last_used_at is not null");
            }
        }
        if let Some(since) = self.unused_since {
            sql.push(" and coalesce(u.last_used_at, t.created_at) < ")
                .push_bind(since);
        }
    }

    /// When those in question expire, if they do: the state tells as well.
    pub(super) fn expiries(&self, now: DateTime<Utc>) -> Period {
        let Period { after, before } = self.expires;
        match self.state {
            Some(Status::Active | Status::Suspended) => Period {
                after: after.max(Some(just_after(now))),
                before,
            },
            Some(Status::Expired) => Period {
                after,
                before: Some(before.map_or(just_after(now), |it| it.min(just_after(now)))),
            },
            Some(Status::Revoked) | None => self.expires,
        }
    }

    /// What can be looked up in any order: the owner and the issuer, and what is rare.
    pub(super) fn narrow(&self, now: DateTime<Utc>) -> Vec<Rare<'_>> {
        let orders = [
            self.issued_by.map(Order::of_issuer),
            self.account.map(Order::of_account),
        ];
        let orders = orders.into_iter().flatten().map(Rare::Of);
        orders.chain(self.rare(now)).collect()
    }

    /// What is asked for and can be looked up, what commonly leaves the fewest first.
    pub(super) fn rare(&self, now: DateTime<Utc>) -> Vec<Rare<'_>> {
        let search = self.search.as_deref().filter(|search| has_trigram(search));
        let expired = Period {
            after: None,
            before: Some(just_after(now)),
        };
        [
            self.prefix.as_deref().map(Rare::Prefix),
            search.map(Rare::Search),
            self.scope.as_deref().map(Rare::Scope),
            self.expires
                .is_bounded()
                .then_some(Rare::Expires(self.expires)),
            self.last_used
                .is_bounded()
                .then_some(Rare::Used(self.last_used)),
            (self.state == Some(Status::Expired)).then_some(Rare::Expires(expired)),
            self.state.and_then(Order::of_state).map(Rare::Of),
            self.environment
                .and_then(Order::of_environment)
                .map(Rare::Of),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The moment itself is over, and the database counts in microseconds.
fn just_after(now: DateTime<Utc>) -> DateTime<Utc> {
    now + TimeDelta::microseconds(1)
}

/// The first id that can be made at that time.
fn first_id(time: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(time.timestamp_millis()).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_begins_with_its_time() {
        let time = DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap_or_default();
        let made = Builder::from_unix_timestamp_millis(1_790_000_000_123, &[9; 10]).into_uuid();
        assert!(first_id(time) < made);
        assert!(made < first_id(time + TimeDelta::milliseconds(1)));
        let long_ago = first_id(DateTime::UNIX_EPOCH - SLACK);
        assert_eq!(long_ago, first_id(DateTime::UNIX_EPOCH));
    }
}
