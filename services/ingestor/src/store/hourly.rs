//! `api_token_usage_hourly`: the rollups.

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use sqlx::PgConnection;
use uuid::Uuid;

use super::time;
use crate::endpoints::TokenHour;
use crate::tally::{HourKey, HourSum};

/// Adds to the rows of these keys, which are sorted and distinct. The histograms travel as one flat
/// array, 24 counts for each row.
pub(crate) async fn add(
    connection: &mut PgConnection,
    hours: &[(HourKey<'_>, HourSum)],
) -> Result<(), sqlx::Error> {
    let token_ids: Vec<Uuid> = hours.iter().map(|(key, _)| key.token_id).collect();
    let buckets: Vec<DateTime<Utc>> = hours.iter().map(|(key, _)| time(key.hour)).collect();
    let endpoints: Vec<&str> = hours.iter().map(|(key, _)| key.endpoint).collect();
    let methods: Vec<&str> = hours.iter().map(|(key, _)| key.method).collect();
    let classes: Vec<i16> = hours.iter().map(|(key, _)| key.status_class).collect();
    let requests: Vec<i64> = hours.iter().map(|(_, sum)| sum.requests).collect();
    let errors: Vec<i64> = hours.iter().map(|(_, sum)| sum.errors).collect();
    let latencies: Vec<i64> = hours.iter().flat_map(|(_, sum)| sum.latency).collect();
    sqlx::query!(
        "insert into api_token_usage_hourly as hourly
           (token_id, bucket, endpoint, method, status_class, requests, errors, latency)
         select token_id, bucket, endpoint, method, status_class, requests, errors,
                ($8::bigint[])[(place - 1) * 24 + 1 : place * 24]
         from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::smallint[],
                     $6::bigint[], $7::bigint[]) with ordinality
           as added (token_id, bucket, endpoint, method, status_class, requests, errors, place)
         on conflict (token_id, bucket, endpoint, method, status_class) do update
         set requests = hourly.requests + excluded.requests,
             errors = hourly.errors + excluded.errors,
             latency = usage_histogram_add(hourly.latency, excluded.latency)",
        &token_ids,
        &buckets,
        &endpoints as _,
        &methods as _,
        &classes,
        &requests,
        &errors,
        &latencies,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Shows `visit` each endpoint template that these token hours have. One at a time, as all of them
/// may be more than fits in memory.
pub(crate) async fn endpoints(
    connection: &mut PgConnection,
    hours: &[TokenHour],
    mut visit: impl FnMut(TokenHour, &str),
) -> Result<(), sqlx::Error> {
    let (token_ids, buckets): (Vec<Uuid>, Vec<DateTime<Utc>>) = hours
        .iter()
        .map(|&(token, hour)| (token, time(hour)))
        .unzip();
    let mut rows = sqlx::query!(
        "select distinct hourly.token_id, hourly.bucket, hourly.endpoint
         from unnest($1::uuid[], $2::timestamptz[]) as wanted (token_id, bucket)
         join api_token_usage_hourly hourly
           on hourly.token_id = wanted.token_id and hourly.bucket = wanted.bucket",
        &token_ids,
        &buckets,
    )
    .fetch(connection);
    while let Some(row) = rows.try_next().await? {
        visit((row.token_id, row.bucket.timestamp_micros()), &row.endpoint);
    }
    Ok(())
}
