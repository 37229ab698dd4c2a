//! How the database goes about a page of the list: the plans of the very statements of
//! [`list`](super::list()), for tests and measurements. It reads no more than the list itself does.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::filter::TokenFilter;
use super::list::{
    Window, bounds, candidates, candidates_statement, chosen_statement, floor_statement, is_rare,
    walk_statement,
};
use crate::Reach;

/// The plan of one statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What the statement is for: `floor`, `walk`, `candidates` or `chosen`.
    pub step: &'static str,
    /// As PostgreSQL gives it in JSON.
    pub plan: Value,
}

/// The plans of all statements that a page can need, whether or not it comes to the later ones.
///
/// # Errors
/// If the database does not answer.
pub async fn plans(
    db: &mut PgConnection,
    reach: Reach,
    filter: &TokenFilter,
    window: Window,
    now: DateTime<Utc>,
) -> Result<Vec<Plan>, sqlx::Error> {
    let Some(filter) = filter.within(reach) else {
        return Ok(Vec::new());
    };
    let (low, high) = bounds(&filter, window);
    let mut plans = Vec::new();
    let mut floor = None;
    if filter.selects() {
        let sql = floor_statement(explain(), &filter, (low, high));
        plans.push(plan(&mut *db, "floor", sql).await?);
        let mut sql = floor_statement(QueryBuilder::default(), &filter, (low, high));
        let query = sql.build_query_scalar::<Uuid>().persistent(false);
        floor = query.fetch_optional(&mut *db).await?;
    }
    let range = (floor.unwrap_or(low), high);
    let sql = walk_statement(explain(), &filter, range, window.limit, now);
    plans.push(plan(&mut *db, "walk", sql).await?);
    let rest = (low, range.0);
    for rare in filter.rare(now) {
        if !is_rare(&mut *db, &rare).await? {
            continue;
        }
        let sql = candidates_statement(explain(), &rare, rest);
        plans.push(plan(&mut *db, "candidates", sql).await?);
    }
    if let Some(ids) = candidates(&mut *db, &filter, rest, now).await? {
        let sql = chosen_statement(explain(), &filter, ids, window.limit, now);
        plans.push(plan(db, "chosen", sql).await?);
    }
    Ok(plans)
}

fn explain() -> QueryBuilder<Postgres> {
    QueryBuilder::new("explain (format json) ")
}

async fn plan(
    db: &mut PgConnection,
    step: &'static str,
    mut sql: QueryBuilder<Postgres>,
) -> Result<Plan, sqlx::Error> {
    let query = sql.build_query_scalar().persistent(false);
    let plan = query.fetch_one(db).await?;
    Ok(Plan { step, plan })
}
