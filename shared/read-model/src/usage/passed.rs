//! The requests of a token that passed, in the order in which they came.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use sqlx::{PgConnection, QueryBuilder, Row};
use tollkeeper_domain::ids::TokenId;

use super::Selection;
use crate::{Reach, unknown};

/// A request that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the fields are the public ones of the design, by their names"
)]
pub struct PassedRequest {
    pub timestamp: DateTime<Utc>,
    pub endpoint: String,
    pub method: String,
    pub status: i16,
    pub ip: Option<IpAddr>,
    pub user_agent: String,
}

/// Where the newest `most` of the token's requests that passed begin: after this moment; none if there
/// are no more than that since `since`.
///
/// # Errors
/// If the database does not answer, or not in the time it is given.
pub async fn passed_cut(
    db: &mut PgConnection,
    reach: Reach,
    token: TokenId,
    since: DateTime<Utc>,
    most: i64,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let mut sql = QueryBuilder::new(
        r#"select "timestamp" from api_token_usage where verdict = 0 and "timestamp" >= "#,
    );
    sql.push_bind(since);
    of(token).push(&mut sql, reach);
    sql.push(r#" order by "timestamp" desc limit 1 offset "#);
    sql.push_bind(most);
    let query = sql.build_query_scalar().persistent(false);
    query.fetch_optional(db).await
}

/// Shows `visit` the requests of the token that passed since `since`, and after `cut` if one is given,
/// from the oldest to the newest. One at a time, as all of them may be more than fits in memory.
///
/// # Errors
/// If the database does not answer, or not in the time it is given.
pub async fn passed(
    db: &mut PgConnection,
    reach: Reach,
    token: TokenId,
    since: DateTime<Utc>,
    cut: Option<DateTime<Utc>>,
    mut visit: impl FnMut(PassedRequest),
) -> Result<(), sqlx::Error> {
    let mut sql = QueryBuilder::new(
        r#"select "timestamp", endpoint, method, status, host(ip) as ip, user_agent
        from api_token_usage where verdict = 0 and "timestamp" >= "#,
    );
    sql.push_bind(since);
    if let Some(cut) = cut {
        sql.push(r#" and "timestamp" > "#).push_bind(cut);
    }
    of(token).push(&mut sql, reach);
    sql.push(r#" order by "timestamp""#);
    let mut rows = sql.build().persistent(false).fetch(db);
    while let Some(row) = rows.try_next().await? {
        let ip: Option<String> = row.try_get("ip")?;
        let ip = ip.map(|it| it.parse()).transpose();
        visit(PassedRequest {
            timestamp: row.try_get("timestamp")?,
            endpoint: row.try_get("endpoint")?,
            method: row.try_get("method")?,
            status: row.try_get("status")?,
            ip: ip.map_err(|_| unknown("api_token_usage.ip"))?,
            user_agent: row.try_get("user_agent")?,
        });
    }
    Ok(())
}

fn of(token: TokenId) -> Selection {
    Selection {
        token: Some(token),
        account: None,
    }
}
