//! Putting sums right.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::Difference;
use crate::usage::Range;

/// For how many tokens or accounts sums are replaced at once.
const AT_ONCE: usize = 100;

fn owners(found: &[Difference]) -> Vec<Uuid> {
    found.iter().map(|it| it.owner.id()).collect()
}

pub(super) async fn rollups(
    db: &mut PgConnection,
    range: Range,
    rollups_from: DateTime<Utc>,
    found: &[Difference],
) -> Result<(), sqlx::Error> {
    for some in found.chunks(AT_ONCE) {
        let tokens: Vec<Uuid> = owners(some);
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

pub(super) async fn totals(
    db: &mut PgConnection,
    rollups_from: DateTime<Utc>,
    found: &[Difference],
) -> Result<(), sqlx::Error> {
    for some in found.chunks(AT_ONCE) {
        let tokens: Vec<Uuid> = owners(some);
        let mut transaction = patient(db).await?;
        sqlx::query!("select usage_totals_replace($1, $2)", rollups_from, &tokens,)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
    }
    Ok(())
}

pub(super) async fn token_days(
    db: &mut PgConnection,
    day: DateTime<Utc>,
    found: &[Difference],
) -> Result<(), sqlx::Error> {
    for some in found.chunks(AT_ONCE) {
        let mut transaction = patient(db).await?;
        sqlx::query!(
            "select usage_token_days_replace($1, $2)",
            day,
            &owners(some)
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// One account at a time: each may have as many rows as there are.
pub(super) async fn account_hours(
    db: &mut PgConnection,
    range: Range,
    found: &[Difference],
) -> Result<(), sqlx::Error> {
    for one in found {
        let mut transaction = patient(db).await?;
        sqlx::query!(
            "select usage_account_hours_replace($1, $2, $3)",
            range.from,
            range.to,
            &[one.owner.id()],
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
    }
    Ok(())
}

pub(super) async fn account_days(
    db: &mut PgConnection,
    day: DateTime<Utc>,
    found: &[Difference],
) -> Result<(), sqlx::Error> {
    for some in found.chunks(AT_ONCE) {
        let mut transaction = patient(db).await?;
        sqlx::query!(
            "select usage_account_days_replace($1, $2)",
            day,
            &owners(some)
        )
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
