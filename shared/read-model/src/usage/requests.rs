//! The single requests of a token.
//!
//! The rows have no key of their own: a page ends at a moment, at the digest of what else a row
//! says, and at how many rows like that one were shown. Rows that are alike in everything cannot be
//! told apart by anybody, so counting them neither repeats nor skips one, whatever arrives between
//! two pages.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, QueryBuilder, Row};
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::verdict::Verdict;

use super::Selection;
use crate::{Reach, unknown};

/// Which requests are listed.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct RequestFilter {
    pub from: Option<DateTime<Utc>>,
    /// Before this moment.
    pub to: Option<DateTime<Utc>>,
    pub verdict: Option<Verdict>,
    pub status: Option<i16>,
    /// The path itself.
    pub endpoint: Option<String>,
    pub ip: Option<IpAddr>,
    pub request_id: Option<String>,
}

/// Where a page ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The moment of its last row.
    pub at: DateTime<Utc>,
    /// The digest of what else that row says.
    pub digest: Vec<u8>,
    /// How many rows like that one were shown by then.
    pub shown: i64,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the fields are the public ones of the design, by their names"
)]
pub struct RequestRow {
    pub timestamp: DateTime<Utc>,
    /// Whether the reporter's own time could not be believed, and this is when it arrived.
    pub timestamp_replaced: bool,
    pub token_version: i64,
    pub endpoint: String,
    pub method: String,
    pub status: i16,
    pub verdict: Verdict,
    pub ip: Option<String>,
    pub user_agent: String,
    pub request_id: Option<String>,
    pub response_time_us: i64,
    digest: Vec<u8>,
}

impl RequestRow {
    /// Where a page that begins `after` and ends with the last of these rows ends.
    #[must_use]
    pub fn end(rows: &[Self], after: Option<&Place>) -> Option<Place> {
        let last = rows.last()?;
        let alike = |row: &&Self| row.timestamp == last.timestamp && row.digest == last.digest;
        let shown = rows.iter().rev().take_while(alike).count();
        let goes_on = |place: &&Place| {
            shown == rows.len() && place.at == last.timestamp && place.digest == last.digest
        };
        let before = after.filter(goes_on).map_or(0, |place| place.shown);
        Some(Place {
            at: last.timestamp,
            digest: last.digest.clone(),
            shown: before.saturating_add(i64::try_from(shown).unwrap_or(i64::MAX)),
        })
    }
}

/// At most `limit` requests of the token, from the newest to the oldest, that follow on a page's
/// end.
///
/// # Errors
/// If the database does not answer, or not in the time it is given.
pub async fn requests(
    db: &mut PgConnection,
    reach: Reach,
    token: TokenId,
    filter: &RequestFilter,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<RequestRow>, sqlx::Error> {
    // Rows come by the index, in the order of their moments; digests are made of those alone that
    // are sorted further.
    let mut sql = QueryBuilder::new(
        r#"select "timestamp", timestamp_replaced, token_version, endpoint, method, status, verdict,
            host(ip) as ip, user_agent, request_id, response_time_us, digest
        from (select *, sha256(convert_to(row(timestamp_replaced, token_version, endpoint, method,
                status, verdict, ip, user_agent, request_id, response_time_us)::text, 'UTF8')) as digest
            from api_token_usage) as requests
        where true"#,
    );
    let selection = Selection {
        token: Some(token),
        account: None,
    };
    selection.push(&mut sql, reach);
    if let Some(from) = filter.from {
        sql.push(r#" and "timestamp" >= "#).push_bind(from);
    }
    if let Some(to) = filter.to {
        sql.push(r#" and "timestamp" < "#).push_bind(to);
    }
    if let Some(verdict) = filter.verdict {
        sql.push(" and verdict = ").push_bind(verdict as i16);
    }
    if let Some(status) = filter.status {
        sql.push(" and status = ").push_bind(status);
    }
    if let Some(endpoint) = &filter.endpoint {
        sql.push(" and endpoint = ").push_bind(endpoint.clone());
    }
    if let Some(ip) = filter.ip {
        sql.push(" and ip = ")
            .push_bind(ip.to_string())
            .push("::inet");
    }
    if let Some(id) = &filter.request_id {
        sql.push(" and request_id = ").push_bind(id.clone());
    }
    if let Some(place) = after {
        sql.push(r#" and "timestamp" <= "#).push_bind(place.at);
        sql.push(r#" and ("timestamp" < "#).push_bind(place.at);
        sql.push(" or digest <= ").push_bind(place.digest.clone());
        sql.push(")");
    }
    sql.push(r#" order by "timestamp" desc, digest desc limit "#);
    sql.push_bind(limit);
    sql.push(" offset ")
        .push_bind(after.map_or(0, |place| place.shown));
    let rows = sql.build().persistent(false).fetch_all(db).await?;
    let read = rows.into_iter().map(|row| {
        let number: i16 = row.try_get("verdict")?;
        let verdict = u8::try_from(number).ok().and_then(Verdict::from_number);
        Ok(RequestRow {
            timestamp: row.try_get("timestamp")?,
            timestamp_replaced: row.try_get("timestamp_replaced")?,
            token_version: row.try_get("token_version")?,
            endpoint: row.try_get("endpoint")?,
            method: row.try_get("method")?,
            status: row.try_get("status")?,
            verdict: verdict.ok_or_else(|| unknown("api_token_usage.verdict"))?,
            ip: row.try_get("ip")?,
            user_agent: row.try_get("user_agent")?,
            request_id: row.try_get("request_id")?,
            response_time_us: row.try_get("response_time_us")?,
            digest: row.try_get("digest")?,
        })
    });
    read.collect()
}
