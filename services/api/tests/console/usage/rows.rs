//! Usage as the ingestor would have written it, and what a page tells of it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::PgPool;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::sum_up_accounts;
use uuid::Uuid;

use crate::support::Site;

/// A midnight by UTC that does not move on while a test runs: whole hours and days lie behind it.
pub(super) fn long_ago() -> DateTime<Utc> {
    "2026-11-18T00:00:00Z".parse().unwrap()
}

/// The day that begins then, as a page is asked about it.
pub(super) const THAT_DAY: &str = "from=2026-11-18T00:00&to=2026-11-19T00:00";

/// The same as the API is asked about it.
pub(super) const THAT_DAY_OF_THE_API: &str =
    "from=2026-11-18T00:00:00Z&to=2026-11-19T00:00:00Z&bucket=hour";

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) at: DateTime<Utc>,
    pub(super) endpoint: &'static str,
    pub(super) method: &'static str,
    pub(super) status: i16,
    pub(super) verdict: Verdict,
    pub(super) ip: &'static str,
    pub(super) user_agent: &'static str,
    pub(super) micros: i64,
}

impl Call {
    /// A usual one.
    pub(super) fn at(at: DateTime<Utc>) -> Self {
        Self {
            at,
            endpoint: "/orders",
            method: "GET",
            status: 200,
            verdict: Verdict::Valid,
            ip: "192.0.2.7",
            user_agent: "curl/8.5.0",
            micros: 900,
        }
    }

    /// A usual one, so many minutes after [`long_ago`].
    pub(super) fn after(minutes: i64) -> Self {
        Self::at(long_ago() + TimeDelta::minutes(minutes))
    }
}

/// Adds requests, and makes the sums of all that there are.
pub(super) async fn add(pool: &PgPool, token: &Value, calls: &[Call]) {
    let id = |member: &str| -> Uuid { token[member].as_str().unwrap().parse().unwrap() };
    for call in calls {
        sqlx::query("select usage_partition_create($1::date)")
            .bind(call.at.date_naive())
            .execute(pool)
            .await
            .unwrap();
        sqlx::query(
            r#"insert into api_token_usage (token_id, account_id, "timestamp", token_version,
                response_time_us, status, verdict, timestamp_replaced, method, endpoint, user_agent,
                ip, request_id)
            values ($1, $2, $3, 1, $4, $5, $6, false, $7, $8, $9, $10::inet, 'req-7')"#,
        )
        .bind(id("id"))
        .bind(id("account_id"))
        .bind(call.at)
        .bind(call.micros)
        .bind(call.status)
        .bind(call.verdict as i16)
        .bind(call.method)
        .bind(call.endpoint)
        .bind(call.user_agent)
        .bind(call.ip)
        .execute(pool)
        .await
        .unwrap();
    }
    for statement in [
        "delete from api_token_usage_hourly",
        "delete from api_token_usage_daily",
        "insert into api_token_usage_hourly
            select * from usage_hours_of_rows('2020-01-01Z', '2100-01-01Z', null)",
        "insert into api_token_usage_daily
            select token_id, date_bin('1 day', bucket, '1970-01-01Z'), endpoint, method, status_class,
                sum(requests), sum(errors), usage_histogram_sum(latency)
            from api_token_usage_hourly group by 1, 2, 3, 4, 5",
    ] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
    sum_up_accounts(pool).await;
}

/// An account of this name and a token of it.
pub(super) async fn token(site: &Site, account: &str, name: &str) -> (String, Value) {
    let operator = site.api.operator();
    let account = operator.account(account).await;
    let token = operator
        .issue(&account, serde_json::json!({ "name": name }))
        .await;
    (account, token)
}

/// A token's id.
pub(super) fn id(token: &Value) -> &str {
    token["id"].as_str().expect("an id")
}

/// The number that a page tells as this.
#[track_caller]
pub(super) fn stat(page: &str, label: &str) -> String {
    let marked = format!("<dt class=\"label\">{label}</dt><dd class=\"value\">");
    let found = page.split_once(&marked);
    let (_, rest) = found.unwrap_or_else(|| panic!("no {label}: {page}"));
    rest.split('<').next().unwrap_or_default().to_owned()
}

/// What stands in the first cells of the table of this caption: names and numbers of requests.
#[track_caller]
pub(super) fn table(page: &str, caption: &str) -> Vec<(String, String)> {
    let found = page.split_once(&format!("<caption>{caption}</caption>"));
    let (_, rest) = found.unwrap_or_else(|| panic!("no {caption}: {page}"));
    let body = rest.split("</table>").next().unwrap_or_default();
    let rows = body.split("<tr>").skip(2);
    let row = |row: &str| {
        let name = row.split("</th>").next().unwrap_or_default();
        let name = without_markup(
            name.split("<code class=\"fine\"")
                .next()
                .unwrap_or_default(),
        );
        let number = row.split("<td class=\"num\">").nth(1).unwrap_or_default();
        let number = number.split('<').next().unwrap_or_default();
        (name, number.to_owned())
    };
    rows.map(row).collect()
}

fn without_markup(text: &str) -> String {
    let parts = text
        .split('<')
        .map(|part| part.split_once('>').map_or(part, |(_, rest)| rest));
    parts.collect::<String>().trim().to_owned()
}
