//! Removes what is over.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tollkeeper_read_model::people;

use super::session::{device, store};
use super::sign_in::{oidc, throttle};

/// The most rows that one statement removes.
const BATCH: i64 = 5000;

/// Removes a batch of each, and tells whether nothing is left for now.
///
/// # Errors
/// If the database does not answer.
pub(crate) async fn forget(pool: &PgPool, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let gone = [
        store::forget(pool, now, BATCH).await?,
        device::forget(pool, now, BATCH).await?,
        throttle::forget(pool, now, BATCH).await?,
        oidc::over(pool, now, BATCH).await?,
    ];
    people::forget_links(pool, now).await?;
    let full = u64::try_from(BATCH).unwrap_or(u64::MAX);
    Ok(gone.iter().all(|gone| *gone < full))
}
