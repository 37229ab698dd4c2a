//! What events are about, for those who wait for some of them and need not read the others.

use sqlx::PgExecutor;
use uuid::Uuid;

use crate::feed::FeedFilter;
use crate::stored::ReadError;

/// What is known of an event without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its place in the one order of all events.
    pub position: i64,
    /// The account that it belongs to.
    pub account_id: Uuid,
    /// What happened.
    pub r#type: String,
}

impl FeedFilter {
    /// Whether the event is one of those that [`feed`](crate::feed()) would give.
    #[must_use]
    pub fn wants(&self, mark: &Mark) -> bool {
        mark.position > self.after
            && self.account.is_none_or(|it| it.0 == mark.account_id)
            && (self.types.is_empty() || self.types.contains(&mark.r#type))
    }
}

/// The marks of the events after one position and up to another, in order.
///
/// # Errors
/// [`ReadError`] if the database does not answer.
pub async fn marks(
    db: impl PgExecutor<'_>,
    (after, until): (i64, i64),
) -> Result<Vec<Mark>, ReadError> {
    let marks = sqlx::query_as!(
        Mark,
        "select position, account_id, type from events
        where position > $1 and position <= $2 order by position",
        after,
        until,
    )
    .fetch_all(db)
    .await?;
    Ok(marks)
}
