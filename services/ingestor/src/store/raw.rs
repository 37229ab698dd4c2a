//! `api_token_usage`: every single call.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::time;
use crate::tally::Countable;

/// Inserts all events. One statement with arrays: it needs no COPY to be fast.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    events: &[Countable<'_>],
) -> Result<(), sqlx::Error> {
    let token_ids: Vec<Uuid> = column(events, |row| row.event.token_id.0);
    let account_ids: Vec<Uuid> = column(events, |row| row.event.account_id.0);
    let timestamps: Vec<DateTime<Utc>> = column(events, |row| time(row.at_micros));
    let versions: Vec<i64> = column(events, |row| row.token_version);
    let response_times: Vec<i64> = column(events, |row| row.event.response_time_us.into());
    let statuses: Vec<i16> = column(events, |row| row.status);
    let verdicts: Vec<i16> = column(events, |row| row.event.verdict as i16);
    let replaced: Vec<bool> = column(events, |row| row.replaced);
    let methods: Vec<&str> = column(events, |row| row.event.method);
    let endpoints: Vec<&str> = column(events, |row| row.event.endpoint);
    let user_agents: Vec<&str> = column(events, |row| row.event.user_agent);
    let ips: Vec<Option<String>> = column(events, |row| row.event.ip.map(|ip| ip.to_string()));
    sqlx::query!(
        r#"insert into api_token_usage
             (token_id, account_id, "timestamp", token_version, response_time_us, status, verdict,
              timestamp_replaced, method, endpoint, user_agent, ip)
           select token_id, account_id, at, token_version, response_time_us, status, verdict,
                  replaced, method, endpoint, user_agent, ip::inet
           from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::bigint[], $5::bigint[],
                       $6::smallint[], $7::smallint[], $8::boolean[], $9::text[], $10::text[],
                       $11::text[], $12::text[])
             as event (token_id, account_id, at, token_version, response_time_us, status, verdict,
                       replaced, method, endpoint, user_agent, ip)"#,
        &token_ids,
        &account_ids,
        &timestamps,
        &versions,
        &response_times,
        &statuses,
        &verdicts,
        &replaced,
        &methods as _,
        &endpoints as _,
        &user_agents as _,
        &ips as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn column<'a, 'b, T>(
    events: &'a [Countable<'b>],
    value: impl Fn(&'a Countable<'b>) -> T,
) -> Vec<T> {
    events.iter().map(value).collect()
}
