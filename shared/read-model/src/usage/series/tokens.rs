//! Series of the tokens that were used most.
//!
//! Histograms are added up for those alone that are told apart: all others together are what accounts have
//! beyond them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, QueryBuilder};

use super::rollups::{of_tokens, push_accounts, push_conditions, push_sums};
use super::{Cell, Dimension, OTHER, Question, Row, SeriesFilter};
use crate::Reach;
use crate::usage::Width;

pub(super) async fn series(
    db: &mut PgConnection,
    reach: Reach,
    question: &Question,
) -> Result<Vec<Cell>, sqlx::Error> {
    // One statement sees one moment, so that what is told apart is part of the whole.
    let mut sql = QueryBuilder::new("with largest as materialized (");
    push_largest(&mut sql, reach, question);
    sql.push("), told as (");
    push_sums(&mut sql, Some(Dimension::Token));
    sql.push(" from ").push(of_tokens(question.width));
    push_conditions(&mut sql, question);
    sql.push(
        " and token_id = any (array(select token_id from largest)) group by 1, 2), whole as (",
    );
    let together = Question {
        group_by: None,
        ..question.clone()
    };
    push_accounts(&mut sql, reach, &together);
    sql.push(
        ") select start, grp, requests, errors, latency from told
        union all select start, null, requests, errors, latency from whole",
    );
    let rows = sql
        .build_query_as::<Row>()
        .persistent(false)
        .fetch_all(db)
        .await?;
    let mut told = Vec::new();
    let mut rest: BTreeMap<DateTime<Utc>, Cell> = BTreeMap::new();
    for row in rows {
        let cell = Cell::from_row(row)?;
        if cell.group.is_some() {
            told.push(cell);
        } else {
            rest.insert(cell.start, cell);
        }
    }
    for cell in &told {
        if let Some(rest) = rest.get_mut(&cell.start) {
            rest.take(cell);
        }
    }
    let rest = rest.into_values().filter(|cell| cell.requests > 0);
    told.extend(rest.map(|cell| Cell {
        group: Some(OTHER.to_owned()),
        ..cell
    }));
    told.sort_unstable_by(|a, b| (a.start, &a.group).cmp(&(b.start, &b.group)));
    Ok(told)
}

/// The tokens with the most requests.
fn push_largest(sql: &mut QueryBuilder<Postgres>, reach: Reach, question: &Question) {
    let SeriesFilter {
        endpoint,
        method,
        status_class,
        verdict: _,
    } = &question.filter;
    let is_of_all = endpoint.is_none() && method.is_none() && status_class.is_none();
    sql.push("select token_id from ");
    if is_of_all && question.width == Width::Day {
        sql.push("account_token_usage_daily");
        push_conditions(sql, question);
        question.selection.push_accounts(sql, reach);
    } else {
        sql.push(of_tokens(question.width));
        push_conditions(sql, question);
        question
            .selection
            .push_used_tokens(sql, reach, question.range);
    }
    sql.push(" group by token_id order by sum(requests) desc, token_id limit ");
    sql.push_bind(question.groups);
}

impl Cell {
    /// Takes another's requests away, which are among its own.
    fn take(&mut self, other: &Self) {
        self.requests -= other.requests;
        self.errors -= other.errors;
        for (count, less) in self.latency.iter_mut().zip(other.latency) {
            *count -= less;
        }
    }
}
