//! Whose usage is asked about.

use sqlx::{Postgres, QueryBuilder};
use tollkeeper_domain::ids::{AccountId, TokenId};

use crate::Reach;

/// A token, the tokens of an account, or both at once; all that is within reach if neither is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "said above")]
pub struct Selection {
    pub token: Option<TokenId>,
    pub account: Option<AccountId>,
}

impl Selection {
    /// Narrows `token_id` to what is asked about and within reach. The tokens of an account are read
    /// once, before the usage, so that an index leads to it; revoked ones are among them.
    pub(super) fn push(self, sql: &mut QueryBuilder<Postgres>, reach: Reach) {
        let accounts = [self.account.map(|it| it.0), reach.account()];
        let accounts = accounts.into_iter().flatten();
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
