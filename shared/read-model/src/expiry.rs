//! Finds the tokens whose expiry is near and has not been told of yet.
//!
//! This is the installation's own work on all tokens, so nothing takes a [`crate::Reach`].

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgExecutor;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::token::EXPIRY_NOTICES;

/// At most `limit` tokens that a notice of their expiry is due for at `now`, the next to expire
/// first. Those of deleted accounts are left out: they are about to be revoked.
///
/// # Errors
/// If the database does not answer.
pub async fn notice_due(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<TokenId>, sqlx::Error> {
    let [first, second, last] = EXPIRY_NOTICES.map(|days| now + TimeDelta::days(days.into()));
    let [first_days, second_days, _] = EXPIRY_NOTICES.map(i32::from);
    // One range of the index for each notice: 31 stands for none yet, as in the index.
    let ids = sqlx::query_scalar!(
        r#"select t.id as "id!"
        from unnest(
            array[31, $5, $6]::integer[], array[$2, $3, $4]::timestamptz[]
        ) as due (last_notice, until)
            cross join lateral (
                select t.id, t.expires_at
                from api_tokens as t join accounts as a on a.id = t.account_id
                where t.state <> 'revoked' and a.state <> 'deleted'
                    and coalesce(t.expiry_notice, 31) = due.last_notice
                    and t.expires_at > $1 and t.expires_at <= due.until
                order by t.expires_at, t.id limit $7
            ) as t
        order by t.expires_at, t.id limit $7"#,
        now,
        first,
        second,
        last,
        first_days,
        second_days,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(Into::into).collect())
}
