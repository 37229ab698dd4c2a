//! Sums of usage that a test has not written itself.

use sqlx::PgPool;

/// Makes the sums of accounts, and the days of tokens, of the sums of tokens that there are: as the ingestor
/// would have written them.
///
/// # Panics
/// When the database refuses.
pub async fn sum_up_accounts(pool: &PgPool) {
    for statement in [
        "delete from account_token_usage_daily",
        "select usage_token_days_replace(bucket, array_agg(distinct token_id))
         from api_token_usage_daily group by bucket",
        "select usage_account_hours_replace(
            day, day + interval '1 day', array(select id from accounts)
         )
         from (
            select distinct date_bin('1 day', bucket, '1970-01-01Z') as day from api_token_usage_hourly
         ) as days",
        // Of days whose hours nobody has made.
        "insert into account_usage_daily
         select usage_account_of(token_id), bucket, endpoint, method, status_class, -1, sum(requests),
            sum(errors), usage_histogram_sum(latency)
         from api_token_usage_daily
         where bucket not in (select bucket from account_usage_daily)
         group by 1, 2, 3, 4, 5",
    ] {
        let done = sqlx::query(statement).execute(pool).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}
