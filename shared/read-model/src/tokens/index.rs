//! The indexes that find tokens: which column each begins with, and what it is asked.

use sqlx::{Postgres, QueryBuilder};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::Status;
use uuid::Uuid;

use super::conditions::{push_prefix, push_scope, push_search};
use super::filter::Period;
use super::sort::hour;

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
    pub(super) fn of_issuer(issuer: TokenId) -> Self {
        Self {
            column: "issued_by",
            value: Value::Id(issuer.0),
            partial: " and t.issued_by is not null",
        }
    }

    pub(super) fn of_account(account: AccountId) -> Self {
        Self {
            column: "account_id",
            value: Value::Id(account.0),
            partial: "",
        }
    }

    /// None for states that are common or a matter of time.
    pub(super) fn of_state(state: Status) -> Option<Self> {
        let ended = matches!(state, Status::Suspended | Status::Revoked);
        ended.then(|| Self {
            column: "state",
            value: Value::Text(state.as_str()),
            partial: " and t.state <> 'active'",
        })
    }

    /// None for the environment that is common.
    pub(super) fn of_environment(environment: Environment) -> Option<Self> {
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
    Used(Period),
    Of(Order),
}

impl Rare<'_> {
    /// Whether its index gives what it finds in an order, one after the other.
    pub(super) const fn has_order(&self) -> bool {
        !matches!(self, Self::Search(_) | Self::Scope(_))
    }

    /// Where its ids are; the conditions follow.
    pub(super) const fn select(&self) -> &'static str {
        match self {
            Self::Used(_) => "select u.token_id from api_token_usage_totals as u where true",
            _ => "select t.id from api_tokens as t where true",
        }
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
            Self::Used(period) => push_hours(sql, *period),
            Self::Of(order) => order.push_range(sql, low, high),
        }
    }
}

/// The hours that the period has a part of: an index on the moment would change with every batch of usage.
fn push_hours(sql: &mut QueryBuilder<Postgres>, period: Period) {
    for (operator, bound) in [(">=", period.after), ("<=", period.before)] {
        if let Some(bound) = bound {
            sql.push(format_args!(" and u.last_used_hour {operator} "))
                .push_bind(hour(bound).naive_utc());
        }
    }
    sql.push(" order by u.last_used_hour");
}
