//! Which sums are not what they should be.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Difference, Owner, Sums};
use crate::usage::Range;

/// A bucket that is not as it should be.
struct BucketRow {
    owner: Uuid,
    bucket: DateTime<Utc>,
    stored: i64,
    counted: i64,
}

impl BucketRow {
    fn of(self, sums: Sums) -> Difference {
        let owner = match sums {
            Sums::AccountHours | Sums::AccountDays => Owner::Account(self.owner),
            Sums::Hours | Sums::Days | Sums::Totals | Sums::TokenDays => Owner::Token(self.owner),
        };
        Difference {
            sums,
            owner,
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
        r#"select token_id as "owner!", bucket as "bucket!", stored as "stored!",
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
        r#"select token_id as "owner!", bucket as "bucket!", stored as "stored!",
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
        owner: Owner::Token(row.token_id),
        bucket: None,
        stored: row.stored,
        counted: row.counted,
    });
    Ok(rows.collect())
}

/// The days of tokens, all endpoints together, that are not what those add up to: of these tokens or of
/// all.
///
/// # Errors
/// If the database does not answer.
pub async fn token_days(
    db: &mut PgConnection,
    range: Range,
    tokens: Option<&[Uuid]>,
) -> Result<Vec<Difference>, sqlx::Error> {
    let rows = sqlx::query_as!(
        BucketRow,
        r#"select token_id as "owner!", bucket as "bucket!", stored as "stored!",
            counted as "counted!"
        from usage_token_days_different($1, $2, $3) order by bucket, token_id"#,
        range.from,
        range.to,
        tokens as _,
    )
    .fetch_all(db)
    .await?;
    let rows = rows.into_iter().map(|row| row.of(Sums::TokenDays));
    Ok(rows.collect())
}

/// The hours of accounts that are not what the hours of their tokens add up to.
///
/// # Errors
/// If the database does not answer.
pub async fn account_hours(
    db: &mut PgConnection,
    range: Range,
) -> Result<Vec<Difference>, sqlx::Error> {
    let rows = sqlx::query_as!(
        BucketRow,
        r#"select account_id as "owner!", bucket as "bucket!", stored as "stored!",
            counted as "counted!"
        from usage_account_hours_different($1, $2) order by bucket, account_id"#,
        range.from,
        range.to,
    )
    .fetch_all(db)
    .await?;
    let rows = rows.into_iter().map(|row| row.of(Sums::AccountHours));
    Ok(rows.collect())
}

/// The days of accounts that are not what their hours add up to.
///
/// # Errors
/// If the database does not answer.
pub async fn account_days(
    db: &mut PgConnection,
    range: Range,
) -> Result<Vec<Difference>, sqlx::Error> {
    let rows = sqlx::query_as!(
        BucketRow,
        r#"select account_id as "owner!", bucket as "bucket!", stored as "stored!",
            counted as "counted!"
        from usage_account_days_different($1, $2) order by bucket, account_id"#,
        range.from,
        range.to,
    )
    .fetch_all(db)
    .await?;
    let rows = rows.into_iter().map(|row| row.of(Sums::AccountDays));
    Ok(rows.collect())
}
