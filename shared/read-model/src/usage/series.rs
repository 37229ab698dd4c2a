//! Usage over time, and what it is made of.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, QueryBuilder};
use tollkeeper_domain::verdict::Verdict;

use super::{HISTOGRAM_BUCKETS, Range, Selection, Width};
use crate::{Reach, unknown};

/// Where all groups beyond the largest ones count, and endpoints beyond those of which rollups are
/// kept.
pub const OTHER: &str = "(other)";

/// What requests can be told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Dimension {
    Endpoint,
    Method,
    StatusClass,
    Token,
    Verdict,
    UserAgentFamily,
    IpNetwork,
}

impl Dimension {
    /// Whether only single requests know it.
    const fn needs_requests(self) -> bool {
        matches!(
            self,
            Self::Verdict | Self::UserAgentFamily | Self::IpNetwork
        )
    }

    /// Its value as a text.
    const fn of_rollup(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Method => "method",
            Self::StatusClass => "status_class::text",
            Self::Token => "token_id::text",
            // Rollups are not asked for these.
            Self::Verdict | Self::UserAgentFamily | Self::IpNetwork => "null",
        }
    }

    /// The column of single requests that it follows from, and its value by that column as `told_by`.
    const fn of_request(self) -> (&'static str, &'static str) {
        match self {
            Self::Endpoint => ("endpoint", "usage_endpoint_template(told_by)"),
            Self::Method => ("method", "told_by"),
            Self::StatusClass => (
                "status",
                "(case when told_by between 100 and 599 then told_by / 100 else 0 end)::text",
            ),
            Self::Token => ("token_id", "told_by::text"),
            Self::Verdict => ("verdict", "told_by::text"),
            Self::UserAgentFamily => ("user_agent", "usage_agent_family(told_by)"),
            Self::IpNetwork => (
                "ip",
                "coalesce(network(set_masklen(told_by, \
                    case family(told_by) when 4 then 24 else 48 end))::text, '(none)')",
            ),
        }
    }
}

/// Which requests count.
#[derive(Debug, Clone, Default)]
pub struct SeriesFilter {
    /// Of this endpoint, as the rollups write it.
    pub endpoint: Option<String>,
    /// Of this method.
    pub method: Option<String>,
    /// Answered with a status that begins with this digit, 0 for what is none of 1 to 5.
    pub status_class: Option<i16>,
    /// That came to this.
    pub verdict: Option<Verdict>,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Whose usage.
    pub selection: Selection,
    /// When: whole steps.
    pub range: Range,
    /// In steps of this width.
    pub width: Width,
    /// By what it is told apart, if by anything.
    pub group_by: Option<Dimension>,
    /// How many groups are told apart at most: the largest, by their requests in the whole range.
    pub groups: i64,
    /// Which requests count.
    pub filter: SeriesFilter,
}

impl Question {
    /// Whether the rollups do not know it, so that each request is read.
    #[must_use]
    pub fn needs_requests(&self) -> bool {
        self.width == Width::Minute
            || self.filter.verdict.is_some()
            || self.group_by.is_some_and(Dimension::needs_requests)
    }
}

/// The requests of one step, and of one group where there are groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// When the step begins.
    pub start: DateTime<Utc>,
    /// The group, [`OTHER`] for all that are not told apart.
    pub group: Option<String>,
    /// How many.
    pub requests: i64,
    /// How many of them were refused, or answered with a status of 400 or above.
    pub errors: i64,
    /// How long they took.
    pub latency: [i64; HISTOGRAM_BUCKETS],
}

/// The steps of a series that have any request, in order.
///
/// # Errors
/// If the database does not answer, or not in the time it is given.
pub async fn series(
    db: &mut PgConnection,
    reach: Reach,
    question: &Question,
) -> Result<Vec<Cell>, sqlx::Error> {
    let mut sql = QueryBuilder::new("with picked as (");
    if question.needs_requests() {
        push_requests(&mut sql, reach, question);
    } else {
        push_rollup(&mut sql, reach, question);
    }
    sql.push(")");
    if question.group_by.is_some() {
        sql.push(
            ", ranked as (select grp, row_number() over (order by sum(requests) desc, grp) as place
            from picked where grp <> ",
        );
        sql.push_bind(OTHER).push(" group by grp) ");
        sql.push("select start, case when place <= ");
        sql.push_bind(question.groups);
        sql.push(" then grp else ")
            .push_bind(OTHER)
            .push(" end as grp, ");
        sql.push("sum(requests)::bigint as requests, sum(errors)::bigint as errors, ");
        push_sum_of_latencies(&mut sql);
        sql.push(" from picked left join ranked using (grp) group by 1, 2 order by 1, 2");
    } else {
        sql.push("select start, grp, requests, errors, latency from picked order by 1");
    }
    let query = sql.build_query_as::<(DateTime<Utc>, Option<String>, i64, i64, Vec<i64>)>();
    let rows = query.persistent(false).fetch_all(db).await?;
    let cells = rows
        .into_iter()
        .map(|(start, group, requests, errors, latency)| {
            let latency = latency.try_into().map_err(|_| unknown("latency"))?;
            Ok(Cell {
                start,
                group,
                requests,
                errors,
                latency,
            })
        });
    cells.collect()
}

/// The sums of steps and groups, by the rollup of the step's width.
fn push_rollup(sql: &mut QueryBuilder<Postgres>, reach: Reach, question: &Question) {
    let group = question.group_by.map_or("null::text", Dimension::of_rollup);
    sql.push("select bucket as start, ")
        .push(group)
        .push(" as grp, ");
    sql.push("sum(requests)::bigint as requests, sum(errors)::bigint as errors, ");
    push_sum_of_latencies(sql);
    sql.push(match question.width {
        Width::Day => " from api_token_usage_daily",
        Width::Hour | Width::Minute => " from api_token_usage_hourly",
    });
    let Range { from, to } = question.range;
    sql.push(" where bucket >= ").push_bind(from);
    sql.push(" and bucket < ").push_bind(to);
    question.selection.push(sql, reach);
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
    sql.push(" group by 1, 2");
}

/// Histograms that are added up, place by place: an aggregate of our own would be an order of
/// magnitude slower.
fn push_sum_of_latencies(sql: &mut QueryBuilder<Postgres>) {
    sql.push("array[");
    for place in 1..=HISTOGRAM_BUCKETS {
        let comma = if place > 1 { ", " } else { "" };
        sql.push(format_args!("{comma}sum(latency[{place}])"));
    }
    sql.push("]::bigint[] as latency");
}

/// The same from single requests. They are counted by their place in the histogram, and by the column
/// that the group follows from, before the group is made of that: once for many.
fn push_requests(sql: &mut QueryBuilder<Postgres>, reach: Reach, question: &Question) {
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
