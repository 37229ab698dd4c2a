//! Which tokens' hours are audited.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Tokens with usage in an hour, picked at random.
pub(crate) struct Sample {
    pub(crate) tokens: Vec<Uuid>,
    /// How many requests the sums say they have in the hour.
    pub(crate) compared: i64,
    /// How many those that were not picked have.
    pub(crate) left_out: i64,
}

/// As many tokens as together have at most this many requests. Tokens that have more by themselves are
/// never among them.
pub(crate) async fn of_hour(
    connection: &mut PgConnection,
    hour: DateTime<Utc>,
    most: i64,
) -> Result<Sample, sqlx::Error> {
    let rows = sqlx::query!(
        r#"with used as (
            select token_id, sum(requests)::bigint as requests
            from api_token_usage_hourly where bucket = $1 group by token_id
        ), reached as (
            select token_id, requests, requests <= $2 and
                sum(requests) filter (where requests <= $2) over (order by random()) <= $2 as picked
            from used
        )
        select coalesce(array_agg(token_id) filter (where picked), '{}') as "tokens!",
            coalesce(sum(requests) filter (where picked), 0)::bigint as "compared!",
            coalesce(sum(requests) filter (where not picked), 0)::bigint as "left_out!"
        from reached"#,
        hour,
        most,
    )
    .fetch_one(connection)
    .await?;
    Ok(Sample {
        tokens: rows.tokens,
        compared: rows.compared,
        left_out: rows.left_out,
    })
}
