//! The tokens that are used most.

use sqlx::{PgConnection, QueryBuilder};
use tollkeeper_domain::ids::AccountId;
use uuid::Uuid;

use super::{Range, Selection, Width};
use crate::Reach;

/// By what tokens are ordered, the largest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Order {
    Requests,
    Errors,
}

/// A token and its use in a period.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
#[allow(
    missing_docs,
    reason = "the fields are the public ones of the design, by their names"
)]
pub struct TopToken {
    pub token_id: Uuid,
    /// Null, like what follows, of a token that the projected tables do not hold.
    pub account_id: Option<Uuid>,
    pub name: Option<String>,
    pub token_prefix: Option<String>,
    pub requests: i64,
    /// How many of them were refused, or answered with a status of 400 or above.
    pub errors: i64,
}

/// The `limit` tokens that were used most in whole steps of this width, hours or days. None without
/// a request, or an error where these are asked for, is among them.
///
/// # Errors
/// If the database does not answer, or not in the time it is given.
pub async fn top(
    db: &mut PgConnection,
    reach: Reach,
    account: Option<AccountId>,
    (range, width): (Range, Width),
    order: Order,
    limit: i64,
) -> Result<Vec<TopToken>, sqlx::Error> {
    let order = match order {
        Order::Requests => "requests",
        Order::Errors => "errors",
    };
    let selection = Selection {
        token: None,
        account,
    };
    let mut sql = QueryBuilder::new(
        "with used as (select token_id, sum(requests)::bigint as requests,
            sum(errors)::bigint as errors from ",
    );
    let is_by_day = width == Width::Day;
    sql.push(if is_by_day {
        "account_token_usage_daily"
    } else {
        "api_token_usage_hourly"
    });
    sql.push(" where bucket >= ").push_bind(range.from);
    sql.push(" and bucket < ").push_bind(range.to);
    if is_by_day {
        selection.push_accounts(&mut sql, reach);
    } else {
        selection.push_used_tokens(&mut sql, reach, range);
    }
    sql.push(" group by token_id having sum(").push(order);
    sql.push(") > 0 order by ").push(order);
    sql.push(" desc, token_id limit ").push_bind(limit);
    sql.push(
        ") select used.token_id, t.account_id, t.name, t.token_prefix, used.requests, used.errors
        from used left join api_tokens as t on t.id = used.token_id order by used.",
    );
    sql.push(order).push(" desc, used.token_id");
    let query = sql.build_query_as::<TopToken>().persistent(false);
    query.fetch_all(db).await
}
