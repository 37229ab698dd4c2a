//! Which tokens to list: each condition as SQL, and the index that finds what fulfils it.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Postgres, QueryBuilder};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::{Status, Token};
use uuid::{Builder, Uuid};

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
    fn is_bounded(self) -> bool {
        self.after.is_some() || self.before.is_some()
    }

    fn push(self, sql: &mut QueryBuilder<Postgres>, column: &str) {
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
}

/// An index that begins with this column and goes on with the id: what it holds of one value comes
/// in the order of the list.
#[derive(Clone, Copy)]
pub(super) struct Order {
    column: &'static str,
    value: Value,
    /// What the index leaves out: the planner does not see that the value excludes it.
    partial: &'static str,
}

#[derive(Clone, Copy)]
enum Value {
    Id(Uuid),
    Text(&'static str),
}

impl Order {
    fn of_issuer(issuer: TokenId) -> Self {
        Self {
            column: "issued_by",
            value: Value::Id(issuer.0),
            partial: " and t.issued_by is not null",
        }
    }

    fn of_account(account: AccountId) -> Self {
        Self {
            column: "account_id",
            value: Value::Id(account.0),
            partial: "",
        }
    }

    /// None for states that are common or a matter of time.
    fn of_state(state: Status) -> Option<Self> {
        let ended = matches!(state, Status::Suspended | Status::Revoked);
        ended.then(|| Self {
            column: "state",
            value: Value::Text(state.as_str()),
            partial: " and t.state <> 'active'",
        })
    }

    /// None for the environment that is common.
    fn of_environment(environment: Environment) -> Option<Self> {
        (environment == Environment::Test).then(|| Self {
            column: "environment",
            value: Value::Text(environment.as_str()),
            partial: " and t.environment <> 'live'",
        })
    }

    /// Column and id are compared as one, so that no index in another order can be taken.
    pub(super) fn push_range(self, sql: &mut QueryBuilder<Postgres>, low: Uuid, high: Uuid) {
        for (operator, id) in [(">=", low), ("<", high)] {
            sql.push(format_args!(" and (t.{}, t.id) {operator} (", self.column));
            match self.value {
                Value::Id(value) => sql.push_bind(value),
                Value::Text(value) => sql.push_bind(value),
            };
            sql.push(", ").push_bind(id).push(")");
        }
        sql.push(self.partial);
        self.push_order(sql);
    }

    /// The order of the index, which is the list's own where the column has one value.
    pub(super) fn push_order(self, sql: &mut QueryBuilder<Postgres>) {
        sql.push(format_args!(" order by t.{} desc, t.id desc", self.column));
    }
}

/// A condition that an index answers whatever the order of the ids.
pub(super) enum Rare<'a> {
    Prefix(&'a str),
    Search(&'a str),
    Scope(&'a str),
    Expires(Period),
    Of(Order),
}

impl Rare<'_> {
    /// Whether its index gives what it finds in an order, one after the other.
    pub(super) const fn has_order(&self) -> bool {
        !matches!(self, Self::Search(_) | Self::Scope(_))
    }

    /// The condition among the ids of the range, if its index knows ids, and otherwise among all.
    /// What has an order is read in that order: the planner would rather read the table where it
    /// expects to meet enough of what is asked for soon.
    pub(super) fn push(&self, sql: &mut QueryBuilder<Postgres>, (low, high): (Uuid, Uuid)) {
        match self {
            Self::Prefix(prefix) => {
                push_prefix(sql, prefix);
                sql.push(" order by t.token_prefix using ~<~");
            }
            Self::Search(search) => push_search(sql, search),
            Self::Scope(scope) => push_scope(sql, scope),
            Self::Expires(period) => {
                period.push(sql, "t.expires_at");
                sql.push(" order by t.expires_at");
            }
            Self::Of(order) => order.push_range(sql, low, high),
        }
    }
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
        let low = self.created.after.map(|time| first_id(time - SLACK));
        let high = self.created.before.map(|time| first_id(time + SLACK));
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
            last_used,
            expires,
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
            || last_used.is_bounded()
            || expires.is_bounded()
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
    }

    /// What is asked for and can be looked up, what commonly leaves the fewest first.
    pub(super) fn rare(&self, now: DateTime<Utc>) -> Vec<Rare<'_>> {
        let search = self.search.as_deref().filter(|search| has_trigram(search));
        let expired = Period {
            after: None,
            // The moment itself is over, and the database counts in microseconds.
            before: Some(now + TimeDelta::microseconds(1)),
        };
        [
            self.prefix.as_deref().map(Rare::Prefix),
            search.map(Rare::Search),
            self.scope.as_deref().map(Rare::Scope),
            self.expires
                .is_bounded()
                .then_some(Rare::Expires(self.expires)),
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

fn push_state(sql: &mut QueryBuilder<Postgres>, state: Status, now: DateTime<Utc>) {
    match state {
        Status::Active | Status::Suspended => sql
            .push(" and t.state = ")
            .push_bind(state.as_str())
            .push(" and (t.expires_at is null or t.expires_at > ")
            .push_bind(now)
            .push(")"),
        Status::Revoked => sql.push(" and t.state = 'revoked'"),
        Status::Expired => sql
            .push(" and t.state <> 'revoked' and t.expires_at <= ")
            .push_bind(now),
    };
}

fn push_scope(sql: &mut QueryBuilder<Postgres>, scope: &str) {
    sql.push(" and t.scopes @> ")
        .push_bind(vec![scope.to_owned()]);
}

fn push_prefix(sql: &mut QueryBuilder<Postgres>, prefix: &str) {
    sql.push(" and t.token_prefix like ")
        .push_bind(format!("{}%", literally(prefix)));
}

fn push_search(sql: &mut QueryBuilder<Postgres>, search: &str) {
    sql.push(" and t.name ilike ")
        .push_bind(format!("%{}%", literally(search)));
}

/// The text as a pattern that only it matches.
fn literally(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | '%' | '_') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// Whether the index on names can look for it: it knows three letters or digits in a row.
fn has_trigram(search: &str) -> bool {
    search
        .split(|character: char| !character.is_alphanumeric())
        .any(|word| word.chars().count() >= 3)
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

    #[test]
    fn a_pattern_matches_nothing_but_its_text() {
        assert_eq!(literally(r"50%_\é"), r"50\%\_\\é");
    }

    #[test]
    fn a_word_of_three_is_looked_up() {
        assert!(has_trigram("a-key"));
        assert!(has_trigram("clé"));
        assert!(!has_trigram("a-b-c d"));
    }
}
