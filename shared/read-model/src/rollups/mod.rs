//! Compares the sums of usage, of tokens (hours, days, totals) with the raw rows they come from and of
//! accounts with those of their tokens, and makes them anew where they differ. Both work while the
//! ingestor counts.
//!
//! Rows and sums are written in one transaction, and each comparison is one statement and so sees one
//! moment: what differs is wrong, and not merely late. Sums are compared hour by hour and replaced for
//! some tokens or one account at a time, so that no lock is held for longer than those take.

mod different;
mod replace;

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

pub use self::different::{account_days, account_hours, days, hours, token_days, totals};
use crate::usage::Range;

/// The most differences that a report names one by one.
const MOST_NAMED: usize = 100;

const HOUR: TimeDelta = TimeDelta::hours(1);

/// The days that are meant, by UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// The first.
    pub first: NaiveDate,
    /// The last, which is one of them.
    pub last: NaiveDate,
    /// From when on sums by day are kept: nothing older is known of a total.
    pub rollups_from: DateTime<Utc>,
}

/// From when on sums by day are kept, if `retention_days` of them are.
#[must_use]
pub fn kept_from(now: DateTime<Utc>, retention_days: u32) -> DateTime<Utc> {
    let first = now
        .date_naive()
        .checked_sub_days(chrono::Days::new(retention_days.into()));
    first.map_or(DateTime::UNIX_EPOCH, |day| {
        day.and_time(NaiveTime::MIN).and_utc()
    })
}

/// Which sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sums {
    /// `api_token_usage_hourly`
    Hours,
    /// `api_token_usage_daily`
    Days,
    /// `api_token_usage_totals`
    Totals,
    /// `account_token_usage_daily`
    TokenDays,
    /// `account_usage_hourly`
    AccountHours,
    /// `account_usage_daily`
    AccountDays,
}

impl Sums {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Hours,
        Self::Days,
        Self::Totals,
        Self::TokenDays,
        Self::AccountHours,
        Self::AccountDays,
    ];

    /// The name under which they are told.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hours => "hours",
            Self::Days => "days",
            Self::Totals => "totals",
            Self::TokenDays => "token_days",
            Self::AccountHours => "account_hours",
            Self::AccountDays => "account_days",
        }
    }
}

/// Sums of a token or an account that are not what its rows say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Which sums.
    pub sums: Sums,
    /// Whose, a token or an account.
    #[serde(flatten)]
    pub owner: Owner,
    /// The start of the hour or the day; of a total, nothing.
    pub bucket: Option<DateTime<Utc>>,
    /// How many requests they say. It may be the right number, with something else wrong.
    pub stored: i64,
    /// How many there are by the rows, days by their hours, totals by their days, and an account's hours by
    /// those of its tokens.
    pub counted: i64,
}

/// Whose sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Owner {
    /// A token's.
    #[serde(rename = "token_id")]
    Token(Uuid),
    /// An account's.
    #[serde(rename = "account_id")]
    Account(Uuid),
}

impl Owner {
    const fn id(self) -> Uuid {
        match self {
            Self::Token(id) | Self::Account(id) => id,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(id) => write!(f, "{id}"),
            Self::Account(id) => write!(f, "account {id}"),
        }
    }
}

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// How many sums of tokens and accounts differ.
    pub differing: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
    /// Days without raw rows whose sums could not be compared.
    pub not_kept: Vec<NaiveDate>,
}

impl Report {
    fn add(&mut self, found: &[Difference]) {
        self.differing += found.len() as u64;
        let room = MOST_NAMED.saturating_sub(self.differences.len());
        let named = found.iter().take(room).cloned();
        self.differences.extend(named);
    }
}

/// Compares, and changes nothing. The session must not be within a transaction.
///
/// # Errors
/// If the database does not answer.
pub async fn verify(db: &mut PgConnection, days: Days) -> Result<Report, sqlx::Error> {
    go_through(db, days, false).await
}

/// Compares as [`verify`] does and puts right what differs, hour by hour: what was replaced before an
/// error stays replaced. What the report says has been put right.
///
/// # Errors
/// If the database does not answer, or those who count do not let the sums be locked.
pub async fn rebuild(db: &mut PgConnection, days: Days) -> Result<Report, sqlx::Error> {
    go_through(db, days, true).await
}

async fn go_through(
    db: &mut PgConnection,
    days: Days,
    replace: bool,
) -> Result<Report, sqlx::Error> {
    let mut report = Report::default();
    for day in days.first.iter_days().take_while(|day| *day <= days.last) {
        let from = day.and_time(NaiveTime::MIN).and_utc();
        let whole = Range {
            from,
            to: from + TimeDelta::days(1),
        };
        match kept(db, day, whole).await? {
            Kept::Rows => {}
            Kept::Nothing => continue,
            Kept::SumsAlone => {
                report.not_kept.push(day);
                continue;
            }
        }
        let mut hour = from;
        while hour < whole.to {
            let range = Range {
                from: hour,
                to: hour + HOUR,
            };
            let found = different::hours(db, range, None).await?;
            report.add(&found);
            if replace {
                replace::rollups(db, range, days.rollups_from, &found).await?;
            }
            let found = different::account_hours(db, range).await?;
            report.add(&found);
            if replace {
                replace::account_hours(db, range, &found).await?;
            }
            hour = range.to;
        }
        let found = different::days(db, whole, None).await?;
        report.add(&found);
        if replace {
            replace::rollups(db, whole, days.rollups_from, &found).await?;
        }
        let found = different::totals(db, whole, days.rollups_from, None).await?;
        report.add(&found);
        if replace {
            replace::totals(db, days.rollups_from, &found).await?;
        }
        let found = different::token_days(db, whole, None).await?;
        report.add(&found);
        if replace {
            replace::token_days(db, from, &found).await?;
        }
        let found = different::account_days(db, whole).await?;
        report.add(&found);
        if replace {
            replace::account_days(db, from, &found).await?;
        }
    }
    Ok(report)
}

/// What is kept of a day.
enum Kept {
    Rows,
    SumsAlone,
    Nothing,
}

async fn kept(db: &mut PgConnection, day: NaiveDate, whole: Range) -> Result<Kept, sqlx::Error> {
    let kept = sqlx::query!(
        r#"select exists (select from usage_partitions where day = $1) as "rows!",
            exists (select from api_token_usage_hourly where bucket >= $2 and bucket < $3) as "sums!""#,
        day,
        whole.from,
        whole.to,
    )
    .fetch_one(db)
    .await?;
    Ok(match (kept.rows, kept.sums) {
        (true, _) => Kept::Rows,
        (false, true) => Kept::SumsAlone,
        (false, false) => Kept::Nothing,
    })
}
