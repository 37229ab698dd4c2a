//! Compares the sums of usage (hours, days, totals) with the raw rows they come from, and makes them
//! anew where they differ. Both work while the ingestor counts.
//!
//! Rows and sums are written in one transaction, and each comparison is one statement and so sees one
//! moment: what differs is wrong, and not merely late. Sums are compared hour by hour and replaced some
//! tokens at a time, so that no lock is held for longer than those take.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::usage::Range;

/// The most differences that a report names one by one.
const MOST_NAMED: usize = 100;

/// For how many tokens sums are replaced at once.
const AT_ONCE: usize = 100;

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
}

impl Sums {
    /// The name under which they are told.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hours => "hours",
            Self::Days => "days",
            Self::Totals => "totals",
        }
    }
}

/// Sums of a token that are not what its rows say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Which sums.
    pub sums: Sums,
    /// Whose.
    pub token_id: Uuid,
    /// The start of the hour or the day; of a total, nothing.
    pub bucket: Option<DateTime<Utc>>,
    /// How many requests they say. It may be the right number, with something else wrong.
    pub stored: i64,
    /// How many there are by the rows, days by their hours, totals by their days.
    pub counted: i64,
}

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// How many hours, days and totals of tokens differ.
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
            let found = hours(db, range, None).await?;
            report.add(&found);
            if replace {
                replace_rollups(db, range, days.rollups_from, &found).await?;
            }
            hour = range.to;
        }
        let found = self::days(db, whole, None).await?;
        report.add(&found);
        if replace {
            replace_rollups(db, whole, days.rollups_from, &found).await?;
        }
        let found = totals(db, whole, days.rollups_from, None).await?;
        report.add(&found);
        if replace {
            replace_totals(db, days.rollups_from, &found).await?;
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

/// A bucket of a token that is not as it should be.
struct BucketRow {
    token_id: Uuid,
    bucket: DateTime<Utc>,
    stored: i64,
    counted: i64,
}

impl BucketRow {
    fn of(self, sums: Sums) -> Difference {
        Difference {
            sums,
            token_id: self.token_id,
            bucket: Some(self.bucket),
            stored: self.stored,
            counted: self.counted,
        }
    }
}

/// The hours of the range that are not what the rows say, of these tokens or of all.
///
/// # Errors
/// If the database does not answer.
pub async fn hours(
    db: &mut PgConnection,
    range: Range,
    tokens: Option<&[Uuid]>,
) -> Result<Vec<Difference>, sqlx::Error> {
    let rows = sqlx::query_as!(
        BucketRow,
        r#"select token_id as "token_id!", bucket as "bucket!", stored as "stored!",
            counted as "counted!"
        from usage_hours_different($1, $2, $3) order by bucket, token_id"#,
        range.from,
        range.to,
        tokens as _,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row.of(Sums::Hours)).collect())
}

/// The days of the range, which are whole ones, that are not what their hours add up to.
///
/// # Errors
/// If the database does not answer.
pub async fn days(
    db: &mut PgConnection,
    range: Range,
    tokens: Option<&[Uuid]>,
) -> Result<Vec<Difference>, sqlx::Error> {
    let rows = sqlx::query_as!(
        BucketRow,
        r#"select token_id as "token_id!", bucket as "bucket!", stored as "stored!",
            counted as "counted!"
        from usage_days_different($1, $2, $3) order by bucket, token_id"#,
        range.from,
        range.to,
        tokens as _,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row.of(Sums::Days)).collect())
}

/// The totals that are not what the days add up to, or whose last use is not that of the newest row
/// that passed: of these tokens, or of all with usage in the range.
///
/// # Errors
/// If the database does not answer.
pub async fn totals(
    db: &mut PgConnection,
    range: Range,
    rollups_from: DateTime<Utc>,
    tokens: Option<&[Uuid]>,
) -> Result<Vec<Difference>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select token_id as "token_id!", stored as "stored!", counted as "counted!"
        from usage_totals_different($1, $2, $3, $4) order by token_id"#,
        range.from,
        range.to,
        rollups_from,
        tokens as _,
    )
    .fetch_all(db)
    .await?;
    let rows = rows.into_iter().map(|row| Difference {
        sums: Sums::Totals,
        token_id: row.token_id,
        bucket: None,
        stored: row.stored,
        counted: row.counted,
    });
    Ok(rows.collect())
}

async fn replace_rollups(
    db: &mut PgConnection,
    range: Range,
    rollups_from: DateTime<Utc>,
    found: &[Difference],
) -> Result<(), sqlx::Error> {
    for some in found.chunks(AT_ONCE) {
        let tokens: Vec<Uuid> = some.iter().map(|it| it.token_id).collect();
        let mut transaction = patient(db).await?;
        sqlx::query!(
            "select usage_rollups_replace($1, $2, $3, $4)",
            range.from,
            range.to,
            rollups_from,
            &tokens,
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
    }
    Ok(())
}

async fn replace_totals(
    db: &mut PgConnection,
    rollups_from: DateTime<Utc>,
    found: &[Difference],
) -> Result<(), sqlx::Error> {
    for some in found.chunks(AT_ONCE) {
        let tokens: Vec<Uuid> = some.iter().map(|it| it.token_id).collect();
        let mut transaction = patient(db).await?;
        sqlx::query!("select usage_totals_replace($1, $2)", rollups_from, &tokens,)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// A transaction that gives up a lock it does not get: others would queue behind it.
async fn patient(
    db: &mut PgConnection,
) -> Result<sqlx::Transaction<'_, sqlx::Postgres>, sqlx::Error> {
    let mut transaction = db.begin().await?;
    sqlx::query!("select set_config('lock_timeout', '10s', true) as lock_timeout")
        .fetch_one(&mut *transaction)
        .await?;
    Ok(transaction)
}
