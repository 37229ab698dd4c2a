//! How the database goes about a page of the list: the plans of the very statements of
//! [`list`](super::list()) and [`sorted`](super::sorted()), for tests and measurements. They read no more than
//! the list itself does.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::filter::TokenFilter;
use super::lane::Lane;
use super::list::{
    CANDIDATES, COMPARED, EXAMINED, Window, bounds, candidates, candidates_statement,
    chosen_statement, floor_statement, is_rare, unused_statement, walk_statement,
};
use super::sort::Sorted;
use super::sorted::Question;
use crate::Reach;

/// The plan of one statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What the statement is for: `floor`, `walk`, `candidates`, `unused` or `chosen`.
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
        let sql = floor_statement(explain(), &filter, (low, high), EXAMINED);
        plans.push(plan(&mut *db, "floor", sql).await?);
        let mut sql = floor_statement(QueryBuilder::default(), &filter, (low, high), EXAMINED);
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
        let sql = candidates_statement(explain(), &rare, rest, CANDIDATES);
        plans.push(plan(&mut *db, "candidates", sql).await?);
    }
    if let Some(ids) = candidates(&mut *db, filter.rare(now), rest, CANDIDATES).await? {
        let sql = chosen_statement(explain(), &filter, ids, window.limit, now);
        plans.push(plan(db, "chosen", sql).await?);
    } else if filter.asks_of_no_use() {
        let sql = floor_statement(explain(), &filter, rest, COMPARED);
        plans.push(plan(&mut *db, "floor", sql).await?);
        let sql = unused_statement(explain(), &filter, rest);
        plans.push(plan(db, "unused", sql).await?);
    }
    Ok(plans)
}

/// The plans of all statements that a page of a sorted list can need, whether or not it comes to the later
/// ones.
///
/// # Errors
/// If the database does not answer.
pub async fn sorted_plans(
    db: &mut PgConnection,
    reach: Reach,
    filter: &TokenFilter,
    asked: &Sorted,
    now: DateTime<Utc>,
) -> Result<Vec<Plan>, sqlx::Error> {
    let Some(filter) = filter.within(reach) else {
        return Ok(Vec::new());
    };
    let question = Question {
        filter: &filter,
        asked,
        now,
    };
    let after = asked.after.as_ref();
    let mut plans = Vec::new();
    if let Some(ids) = question.few(db, after).await? {
        let mut sql = explain();
        question.push_chosen(&mut sql, ids, after, asked.limit);
        plans.push(plan(&mut *db, "chosen", sql).await?);
    }
    for lane in &Lane::of(&filter, asked.sort, after, now) {
        let after = after.filter(|place| lane.holds(place));
        let floor = question.floor(db, lane, after).await?;
        if floor.is_some() {
            let mut sql = explain();
            lane.push_place(&mut sql, (after, None), lane.examined());
            plans.push(plan(&mut *db, "floor", sql).await?);
        }
        let mut sql = explain();
        question.push_walk(&mut sql, lane, (after, floor.as_ref()), asked.limit);
        plans.push(plan(&mut *db, "walk", sql).await?);
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
