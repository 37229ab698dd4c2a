//! Usage over time, and what it is made of.

mod requests;
mod rollups;
mod tokens;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, QueryBuilder};
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
    /// Its value as a text, by the rollups that know it.
    const fn of_rollup(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Method => "method",
            Self::StatusClass => "status_class::text",
            Self::Token => "token_id::text",
            Self::Verdict => "verdict::text",
            // Rollups are not asked for these.
            Self::UserAgentFamily | Self::IpNetwork => "null",
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
        self.source() == Source::Requests
    }

    /// What is read for the answer.
    fn source(&self) -> Source {
        let group = self.group_by;
        let is_of_agents = matches!(
            group,
            Some(Dimension::UserAgentFamily | Dimension::IpNetwork)
        );
        let is_of_verdicts = self.filter.verdict.is_some() || group == Some(Dimension::Verdict);
        let is_of_tokens = self.selection.token.is_some() || group == Some(Dimension::Token);
        if self.width == Width::Minute || is_of_agents || (is_of_verdicts && is_of_tokens) {
            Source::Requests
        } else if self.selection.token.is_some() {
            Source::Token
        } else if is_of_tokens {
            Source::TopTokens
        } else {
            Source::Accounts
        }
    }
}

/// What is read for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Each request.
    Requests,
    /// The sums of the one token.
    Token,
    /// The sums of the tokens that were used most, and of accounts for the rest.
    TopTokens,
    /// The sums of accounts.
    Accounts,
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

impl Cell {
    fn from_row((start, group, requests, errors, latency): Row) -> Result<Self, sqlx::Error> {
        let latency = latency.try_into().map_err(|_| unknown("latency"))?;
        Ok(Self {
            start,
            group,
            requests,
            errors,
            latency,
        })
    }
}

/// A cell as the database gives it.
type Row = (DateTime<Utc>, Option<String>, i64, i64, Vec<i64>);

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
    match question.source() {
        Source::TopTokens => return tokens::series(db, reach, question).await,
        Source::Requests => requests::push(&mut sql, reach, question),
        Source::Token => rollups::push_tokens(&mut sql, reach, question),
        Source::Accounts => rollups::push_accounts(&mut sql, reach, question),
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
        rollups::push_sum_of_latencies(&mut sql);
        sql.push(" from picked left join ranked using (grp) group by 1, 2 order by 1, 2");
    } else {
        sql.push("select start, grp, requests, errors, latency from picked order by 1");
    }
    let rows = sql
        .build_query_as::<Row>()
        .persistent(false)
        .fetch_all(db)
        .await?;
    rows.into_iter().map(Cell::from_row).collect()
}
