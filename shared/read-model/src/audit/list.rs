//! The three parts of the audit log as one list, from the newest to the oldest. A page costs the same
//! however long the log is: each part is read by an index that has its order, no further than the page
//! needs.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};
use tollkeeper_domain::event::TYPES;
use tollkeeper_domain::ids::AccountId;
use uuid::Uuid;

use super::Act;
use crate::Reach;

/// Which part of the audit log a row is from. At one moment they stand in this order, from the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i16)]
pub enum Source {
    /// The event log.
    Event,
    /// Attempts that were refused.
    Refusal,
    /// What left no event.
    Entry,
}

impl Source {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Event, Self::Refusal, Self::Entry];

    /// The part with this number.
    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it as i16 == number)
    }

    /// The part that tells of this action, by the form of its name; none if there is no such action.
    /// Whether there is an operation of that name is not known here.
    #[must_use]
    pub fn of(action: &str) -> Option<Self> {
        if TYPES.iter().any(|(name, _)| *name == action) {
            Some(Self::Event)
        } else if Act::ALL.iter().any(|act| act.name() == action) {
            Some(Self::Entry)
        } else {
            action.contains(" /").then_some(Self::Refusal)
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Allowed,
    /// It was not.
    Refused,
}

impl Outcome {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
        }
    }
}

/// What is asked for. All that is given must hold.
#[derive(Debug, Clone)]
pub struct AuditFilter {
    /// Only what this actor did or was refused.
    pub actor: Option<String>,
    /// Only this action: an event's type, the name of an [`Act`], or an operation that was refused.
    pub action: Option<String>,
    /// Only what had this outcome.
    pub outcome: Option<Outcome>,
    /// Only what concerns this account and its tokens, or was refused to them.
    pub account: Option<AccountId>,
    /// Only what was done to this, or, of refused attempts, was tried with this one once.
    pub subject: Option<Uuid>,
    /// Only from this moment on.
    pub since: DateTime<Utc>,
    /// Only before this moment.
    pub until: Option<DateTime<Utc>>,
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// When it was recorded, or first refused.
    pub at: DateTime<Utc>,
    /// Its part.
    pub source: Source,
    /// Its number there; of an event, its position.
    pub number: i64,
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct AuditRow {
    /// When it was recorded; of refused attempts, when the first was refused.
    pub at: DateTime<Utc>,
    source: i16,
    number: i64,
    /// When the last of them was refused; else `at`.
    pub last_at: DateTime<Utc>,
    /// Who; none where nobody knows.
    pub actor: Option<String>,
    /// What; none for refused attempts that are not told apart.
    pub action: Option<String>,
    /// The account that it concerns; of refused attempts, the caller's.
    pub account_id: Option<Uuid>,
    /// What kind of thing it was done to, where it was done.
    pub subject_type: Option<String>,
    /// Which one; of refused attempts, of one of them.
    pub subject_id: Option<Uuid>,
    /// The code with which it was refused.
    pub code: Option<String>,
    /// The status with which it was refused.
    pub status: Option<i16>,
    /// How many attempts it stands for; 1 for what was done.
    pub count: i64,
    /// The network that one of the refused attempts came from.
    pub network: Option<String>,
    /// The request; of refused attempts, of one of them.
    pub request_id: Option<String>,
    /// More of what left no event.
    pub details: Option<Value>,
}

impl AuditRow {
    /// Which part of the audit log it is from.
    #[must_use]
    pub fn source(&self) -> Source {
        // The statement names no other.
        Source::from_number(self.source).unwrap_or(Source::Event)
    }

    /// What became of it.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.source() {
            Source::Event | Source::Entry => Outcome::Allowed,
            Source::Refusal => Outcome::Refused,
        }
    }

    /// Its position in the event log, where it is an event.
    #[must_use]
    pub fn position(&self) -> Option<i64> {
        (self.source() == Source::Event).then_some(self.number)
    }

    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            at: self.at,
            source: self.source(),
            number: self.number,
        }
    }
}

/// At most `limit` lines of what may be seen, from the newest to the oldest, those after `after`. No line is
/// repeated or passed over by what comes in between pages, but for refused attempts and entries of the last
/// seconds, which may be recorded a little later than they happened.
///
/// # Errors
/// If the database does not answer.
pub async fn list(
    db: &mut PgConnection,
    reach: Reach,
    filter: &AuditFilter,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<AuditRow>, sqlx::Error> {
    let Some(asked) = Asked::of(&mut *db, reach, filter, after, limit).await? else {
        return Ok(Vec::new());
    };
    let mut sql = asked.statement(QueryBuilder::default());
    // A statement that is kept gets one plan for all values in time.
    sql.build_query_as().persistent(false).fetch_all(db).await
}

/// How the database goes about it, for tests and measurements: the plan of the very statement, which is
/// carried out, as text.
///
/// # Errors
/// If the database does not answer.
pub async fn plan(
    db: &mut PgConnection,
    reach: Reach,
    filter: &AuditFilter,
    after: Option<Place>,
    limit: i64,
) -> Result<String, sqlx::Error> {
    let Some(asked) = Asked::of(&mut *db, reach, filter, after, limit).await? else {
        return Ok(String::new());
    };
    let mut sql = asked.statement(QueryBuilder::new("explain (analyze, buffers) "));
    let query = sql.build_query_scalar::<String>().persistent(false);
    Ok(query.fetch_all(db).await?.join("\n"))
}

/// A question whose answer may be something.
struct Asked<'a> {
    filter: &'a AuditFilter,
    account: Option<AccountId>,
    sources: Vec<Source>,
    /// Events after the one and up to the other position.
    positions: (i64, i64),
    after: Option<Place>,
    limit: i64,
}

impl<'a> Asked<'a> {
    async fn of(
        db: &mut PgConnection,
        reach: Reach,
        filter: &'a AuditFilter,
        after: Option<Place>,
        limit: i64,
    ) -> Result<Option<Self>, sqlx::Error> {
        let account = match (reach, filter.account) {
            (Reach::All, asked) => asked,
            (Reach::Account(own), asked) if asked.is_none_or(|it| it == own) => Some(own),
            (Reach::Account(_), _) => return Ok(None),
        };
        let sources = sources(filter);
        let mut positions = (0, 0);
        if sources.contains(&Source::Event) {
            positions = self::positions(db, filter, after).await?;
        }
        Ok((!sources.is_empty()).then_some(Self {
            filter,
            account,
            sources,
            positions,
            after,
            limit,
        }))
    }

    fn statement(&self, mut sql: QueryBuilder<Postgres>) -> QueryBuilder<Postgres> {
        sql.push("select * from (");
        for (index, source) in self.sources.iter().enumerate() {
            sql.push(if index == 0 { "(" } else { " union all (" });
            match source {
                Source::Event => self.push_events(&mut sql),
                Source::Refusal => self.push_refusals(&mut sql),
                Source::Entry => self.push_entries(&mut sql),
            }
            sql.push(" limit ").push_bind(self.limit).push(")");
        }
        sql.push(") as lines order by at desc, source desc, number desc limit ");
        sql.push_bind(self.limit);
        sql
    }

    fn push_events(&self, sql: &mut QueryBuilder<Postgres>) {
        sql.push(
            "select recorded_at as at, 0::smallint as source, position as number,
                recorded_at as last_at, actor, type as action, account_id,
                stream_type as subject_type, stream_id as subject_id, null::text as code,
                null::smallint as status, 1::bigint as count, null::text as network, request_id,
                null::jsonb as details
            from events where position > ",
        );
        sql.push_bind(self.positions.0);
        sql.push(" and position <= ").push_bind(self.positions.1);
        self.push_equal(sql, ["actor", "type", "account_id", "stream_id"]);
        sql.push(" order by position desc");
    }

    fn push_refusals(&self, sql: &mut QueryBuilder<Postgres>) {
        sql.push(
            "select first_at as at, 1::smallint as source, number, last_at, actor,
                operation as action, account_id, null::text as subject_type, subject_id, code,
                status, count, network, request_id, null::jsonb as details
            from audit_refusals where true",
        );
        self.push_equal(sql, ["actor", "operation", "account_id", "subject_id"]);
        self.push_times(sql, Source::Refusal, "first_at");
        sql.push(" order by first_at desc, number desc");
    }

    fn push_entries(&self, sql: &mut QueryBuilder<Postgres>) {
        sql.push(
            "select recorded_at as at, 2::smallint as source, number, recorded_at as last_at, actor,
                action, account_id, subject_type, subject_id, null::text as code,
                null::smallint as status, 1::bigint as count, null::text as network, request_id,
                details
            from audit_entries where true",
        );
        self.push_equal(sql, ["actor", "action", "account_id", "subject_id"]);
        self.push_times(sql, Source::Entry, "recorded_at");
        sql.push(" order by recorded_at desc, number desc");
    }

    /// What the filter asks for of the columns that have actor, action, account and subject.
    fn push_equal(&self, sql: &mut QueryBuilder<Postgres>, columns: [&str; 4]) {
        let [actor, action, account, subject] = columns;
        let texts = [(actor, &self.filter.actor), (action, &self.filter.action)];
        for (column, value) in texts {
            if let Some(value) = value {
                sql.push(format_args!(" and {column} = "));
                sql.push_bind(value.clone());
            }
        }
        let account_id = self.account.map(|id| id.0);
        for (column, value) in [(account, account_id), (subject, self.filter.subject)] {
            if let Some(value) = value {
                sql.push(format_args!(" and {column} = ")).push_bind(value);
            }
        }
    }

    /// The time that is asked for, and what stands after the place where the page begins.
    fn push_times(&self, sql: &mut QueryBuilder<Postgres>, own: Source, column: &str) {
        sql.push(format_args!(" and {column} >= "));
        sql.push_bind(self.filter.since);
        if let Some(until) = self.filter.until {
            sql.push(format_args!(" and {column} < ")).push_bind(until);
        }
        let Some(after) = self.after else { return };
        if own == after.source {
            sql.push(format_args!(" and ({column}, number) < ("));
            sql.push_bind(after.at).push(", ");
            sql.push_bind(after.number).push(")");
        } else {
            let order = if own > after.source { "<" } else { "<=" };
            sql.push(format_args!(" and {column} {order} "));
            sql.push_bind(after.at);
        }
    }
}

/// The parts that can hold what is asked for.
fn sources(filter: &AuditFilter) -> Vec<Source> {
    let mut sources = Source::ALL.to_vec();
    match filter.outcome {
        Some(Outcome::Allowed) => sources.retain(|it| *it != Source::Refusal),
        Some(Outcome::Refused) => sources.retain(|it| *it == Source::Refusal),
        None => {}
    }
    if let Some(action) = &filter.action {
        let only = Source::of(action);
        sources.retain(|it| Some(*it) == only);
    }
    sources
}

/// After which and up to which position events are asked for.
async fn positions(
    db: &mut PgConnection,
    filter: &AuditFilter,
    after: Option<Place>,
) -> Result<(i64, i64), sqlx::Error> {
    let mut ends: Vec<DateTime<Utc>> = filter.until.into_iter().collect();
    // Of one moment, events stand last.
    let other = after.filter(|it| it.source != Source::Event);
    ends.extend(other.map(|it| it.at + TimeDelta::microseconds(1)));
    let found = sqlx::query!(
        r#"select events_before($1) as "low!",
            case when $2::timestamptz is null then (select position from event_log_head)
                else events_before($2) end as "high!""#,
        filter.since,
        ends.into_iter().min(),
    )
    .fetch_one(db)
    .await?;
    let before = after.filter(|it| it.source == Source::Event);
    let high = before.map_or(found.high, |it| found.high.min(it.number - 1));
    Ok((found.low, high))
}
