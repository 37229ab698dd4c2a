//! Series made of single requests.

use sqlx::{Postgres, QueryBuilder};

use super::{Dimension, Question};
use crate::Reach;
use crate::usage::{HISTOGRAM_BUCKETS, Range, Width};

/// The sums of steps and groups. Requests are counted by their place in the histogram, and by the column
/// that the group follows from, before the group is made of that: once for many.
pub(super) fn push(sql: &mut QueryBuilder<Postgres>, reach: Reach, question: &Question) {
    let none = ("null::text", "told_by");
    let (column, group) = question.group_by.map_or(none, Dimension::of_request);
    sql.push("select start, ").push(group).push(" as grp, ");
    sql.push("sum(counted)::bigint as requests, sum(failed)::bigint as errors, ");
    sql.push("array[");
    for slot in 0..HISTOGRAM_BUCKETS {
        let comma = if slot > 0 { ", " } else { "" };
        sql.push(format_args!(
            "{comma}coalesce(sum(counted) filter (where slot = {slot}), 0)"
        ));
    }
    sql.push("]::bigint[] as latency from (select date_bin(");
    sql.push(match question.width {
        Width::Minute => "'1 minute'",
        Width::Hour => "'1 hour'",
        Width::Day => "'1 day'",
    });
    sql.push(r#", "timestamp", '1970-01-01T00:00:00Z') as start, "#);
    sql.push(column).push(" as told_by, ");
    // The bounds of the rollups' histograms: from 2^4 microseconds, each twice the one before.
    sql.push("width_bucket(response_time_us, array[");
    for slot in 0..HISTOGRAM_BUCKETS - 1 {
        let comma = if slot > 0 { ", " } else { "" };
        sql.push(format_args!("{comma}{}", 16_i64 << slot));
    }
    sql.push("]::bigint[]) as slot, count(*) as counted, ");
    sql.push("count(*) filter (where verdict <> 0 or status >= 400) as failed");
    sql.push(r#" from api_token_usage where "timestamp" >= "#);
    let Range { from, to } = question.range;
    sql.push_bind(from)
        .push(r#" and "timestamp" < "#)
        .push_bind(to);
    question.selection.push(sql, reach);
    let filter = &question.filter;
    if let Some(endpoint) = &filter.endpoint {
        // A template without identifiers is the path itself.
        let column = if endpoint.contains("{id}") {
            "usage_endpoint_template(endpoint)"
        } else {
            "endpoint"
        };
        sql.push(" and ").push(column).push(" = ");
        sql.push_bind(endpoint.clone());
    }
    if let Some(method) = &filter.method {
        sql.push(" and method = ").push_bind(method.clone());
    }
    if let Some(class) = filter.status_class {
        sql.push(" and case when status between 100 and 599 then status / 100 else 0 end = ");
        sql.push_bind(class);
    }
    if let Some(verdict) = filter.verdict {
        sql.push(" and verdict = ").push_bind(verdict as i16);
    }
    sql.push(" group by 1, 2, 3) as requests group by 1, 2");
}
