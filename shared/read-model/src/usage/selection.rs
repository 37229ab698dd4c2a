//! Whose usage is asked about.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use sqlx::{Postgres, QueryBuilder};
use tollkeeper_domain::ids::{AccountId, TokenId};
use uuid::Uuid;

use super::Range;
use crate::Reach;

/// A token, the tokens of an account, or both at once; all that is within reach if neither is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "said above")]
pub struct Selection {
    pub token: Option<TokenId>,
    pub account: Option<AccountId>,
}

impl Selection {
    /// Narrows `account_id` to what is asked about and within reach, where no token is asked about.
    pub(super) fn push_accounts(self, sql: &mut QueryBuilder<Postgres>, reach: Reach) {
        for account in self.accounts(reach) {
            sql.push(" and account_id = ").push_bind(account);
        }
    }

    /// Narrows `token_id` to those of the accounts that are asked about and within reach which were used on
    /// the days of a time: an account may have very many others.
    pub(super) fn push_used_tokens(
        self,
        sql: &mut QueryBuilder<Postgres>,
        reach: Reach,
        Range { from, to }: Range,
    ) {
        for account in self.accounts(reach) {
            sql.push(" and token_id = any (array(select distinct token_id from ");
            sql.push("account_token_usage_daily where account_id = ");
            sql.push_bind(account);
            sql.push(" and bucket >= ").push_bind(day_of(from));
            sql.push(" and bucket < ").push_bind(to).push("))");
        }
    }

    fn accounts(self, reach: Reach) -> impl Iterator<Item = Uuid> {
        let accounts = [self.account.map(|it| it.0), reach.account()];
        accounts.into_iter().flatten()
    }

    /// Narrows `token_id` to what is asked about and within reach. The tokens of an account are read
    /// once, before the usage, so that an index leads to it; revoked ones are among them.
    pub(super) fn push(self, sql: &mut QueryBuilder<Postgres>, reach: Reach) {
        let accounts = self.accounts(reach);
        if let Some(token) = self.token {
            sql.push(" and token_id = ").push_bind(token.0);
            for account in accounts {
                sql.push(" and exists (select from api_tokens where id = ");
                sql.push_bind(token.0);
                sql.push(" and account_id = ").push_bind(account).push(")");
            }
        } else {
            for account in accounts {
                sql.push(" and token_id = any (array(");
                sql.push("select id from api_tokens where account_id = ");
                sql.push_bind(account).push("))");
            }
        }
    }
}

/// The start of the UTC day.
fn day_of(moment: DateTime<Utc>) -> DateTime<Utc> {
    moment.duration_trunc(TimeDelta::days(1)).unwrap_or(moment)
}
