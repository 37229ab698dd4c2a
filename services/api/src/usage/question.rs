//! What a question about usage over time comes to, and which are too large.

use chrono::{DateTime, TimeDelta, Utc};
use tollkeeper_read_model::usage::{Question, Range, Selection, SeriesFilter, Width};

use super::times;
use super::words::{self, Bucket, GroupBy, StatusClass};
use crate::http::problem::Problem;

/// How many groups are told apart if nobody says, and at most.
const GROUPS: i64 = 10;
const MOST_GROUPS: i64 = 50;

/// The most buckets of all groups together.
const MOST_CELLS: usize = 20_000;

/// How long a time may be for which every request is read.
const LONGEST_OF_TOKEN: TimeDelta = TimeDelta::days(31);
const LONGEST_OF_MANY: TimeDelta = TimeDelta::days(7);

/// The parameters of a question.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) selection: Selection,
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) to: Option<DateTime<Utc>>,
    pub(super) bucket: Option<Bucket>,
    pub(super) group_by: Option<GroupBy>,
    pub(super) limit: Option<i64>,
    pub(super) endpoint: Option<String>,
    pub(super) method: Option<String>,
    pub(super) status_class: Option<StatusClass>,
    pub(super) verdict: Option<String>,
}

impl Asked {
    /// The question at this moment.
    ///
    /// # Errors
    /// 400 for what cannot be asked, or would be too much.
    pub(super) fn question(self, now: DateTime<Utc>) -> Result<Question, Problem> {
        let range = times::range(now, self.from, self.to)?;
        // Minutes are made of single requests, which may be many where many tokens are used.
        let widths: &[Width] = match self.selection.token {
            Some(_) => &[Width::Minute, Width::Hour, Width::Day],
            None => &[Width::Hour, Width::Day],
        };
        let usual = || times::usual_width(range, widths);
        let width = self.bucket.map_or_else(usual, Width::from);
        let question = Question {
            selection: self.selection,
            range: times::buckets(range, width)?,
            width,
            group_by: self.group_by.map(Into::into),
            groups: groups(self.limit)?,
            filter: SeriesFilter {
                endpoint: self.endpoint,
                method: self.method,
                status_class: self.status_class.map(StatusClass::digit),
                verdict: words::verdict(self.verdict.as_deref())?,
            },
        };
        check_size(&question)?;
        if question.needs_requests() {
            check_reading(&question, range)?;
        }
        Ok(question)
    }
}

/// How many groups, or tokens, are told of.
pub(super) fn groups(asked: Option<i64>) -> Result<i64, Problem> {
    let limit = asked.unwrap_or(GROUPS);
    if (1..=MOST_GROUPS).contains(&limit) {
        Ok(limit)
    } else {
        let detail = format!("`limit` is 1 to {MOST_GROUPS}");
        Err(Problem::bad_request("INVALID_QUERY", detail))
    }
}

fn check_size(question: &Question) -> Result<(), Problem> {
    if question.group_by.is_none() {
        return Ok(());
    }
    let buckets = times::starts(question.range, question.width).count();
    // The rest is one more.
    let groups = usize::try_from(question.groups)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    if buckets.saturating_mul(groups) <= MOST_CELLS {
        return Ok(());
    }
    let detail = format!(
        "{buckets} buckets of {groups} groups are more than the {MOST_CELLS} that are told at \
         most: ask for a smaller `limit`, a wider `bucket` or a shorter range"
    );
    Err(times::too_large(detail))
}

fn check_reading(question: &Question, asked: Range) -> Result<(), Problem> {
    let longest = match question.selection.token {
        Some(_) => LONGEST_OF_TOKEN,
        None => LONGEST_OF_MANY,
    };
    if asked.to - asked.from <= longest {
        return Ok(());
    }
    let detail = format!(
        "this reads every request, which is done for {} days at most: ask for a shorter range, or \
         for `bucket=hour` or `bucket=day` without verdicts, user agents and networks",
        longest.num_days()
    );
    Err(times::too_large(detail))
}
