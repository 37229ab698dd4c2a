//! Series made of sums by hour or day.

use sqlx::{Postgres, QueryBuilder};

use super::{Dimension, Question};
use crate::Reach;
use crate::usage::{HISTOGRAM_BUCKETS, Range, Width};

/// The sums of steps and groups of accounts.
pub(super) fn push_accounts(sql: &mut QueryBuilder<Postgres>, reach: Reach, question: &Question) {
    push_sums(sql, question.group_by);
    sql.push(match question.width {
        Width::Day => " from account_usage_daily",
        Width::Hour | Width::Minute => " from account_usage_hourly",
    });
    push_conditions(sql, question);
    question.selection.push_accounts(sql, reach);
    if let Some(verdict) = question.filter.verdict {
        sql.push(" and verdict = ").push_bind(verdict as i16);
    }
    sql.push(" group by 1, 2");
}

/// The same of the one token.
pub(super) fn push_tokens(sql: &mut QueryBuilder<Postgres>, reach: Reach, question: &Question) {
    push_sums(sql, question.group_by);
    sql.push(" from ").push(of_tokens(question.width));
    push_conditions(sql, question);
    question.selection.push(sql, reach);
    sql.push(" group by 1, 2");
}

/// The sums of tokens by endpoint.
pub(super) const fn of_tokens(width: Width) -> &'static str {
    match width {
        Width::Day => "api_token_usage_daily",
        Width::Hour | Width::Minute => "api_token_usage_hourly",
    }
}

pub(super) fn push_sums(sql: &mut QueryBuilder<Postgres>, group_by: Option<Dimension>) {
    let group = group_by.map_or("null::text", Dimension::of_rollup);
    sql.push("select bucket as start, ")
        .push(group)
        .push(" as grp, ");
    sql.push("sum(requests)::bigint as requests, sum(errors)::bigint as errors, ");
    push_sum_of_latencies(sql);
}

/// When, and of what.
pub(super) fn push_conditions(sql: &mut QueryBuilder<Postgres>, question: &Question) {
    let Range { from, to } = question.range;
    sql.push(" where bucket >= ").push_bind(from);
    sql.push(" and bucket < ").push_bind(to);
    let filter = &question.filter;
    if let Some(endpoint) = &filter.endpoint {
        sql.push(" and endpoint = ").push_bind(endpoint.clone());
    }
    if let Some(method) = &filter.method {
        sql.push(" and method = ").push_bind(method.clone());
    }
    if let Some(class) = filter.status_class {
        sql.push(" and status_class = ").push_bind(class);
    }
}

/// Histograms that are added up, place by place: an aggregate of our own would be an order of
/// magnitude slower.
pub(super) fn push_sum_of_latencies(sql: &mut QueryBuilder<Postgres>) {
    sql.push("array[");
    for place in 1..=HISTOGRAM_BUCKETS {
        let comma = if place > 1 { ", " } else { "" };
        sql.push(format_args!("{comma}sum(latency[{place}])"));
    }
    sql.push("]::bigint[] as latency");
}
