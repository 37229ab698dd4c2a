//! Usage as the ingestor would have written it, and questions about it.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;
use sqlx::PgPool;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::stack::{Answer, Person};
use tollkeeper_testkit::sum_up_accounts;
use uuid::Uuid;

use crate::support::{problem, text};

/// A midnight by UTC that does not move on while a test runs: whole hours and days lie behind it.
pub(super) fn long_ago() -> DateTime<Utc> {
    "2026-11-18T00:00:00Z".parse().unwrap()
}

/// A moment as a query holds it.
pub(super) fn at(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) at: DateTime<Utc>,
    pub(super) endpoint: &'static str,
    pub(super) method: &'static str,
    pub(super) status: i16,
    pub(super) verdict: Verdict,
    pub(super) ip: Option<&'static str>,
    pub(super) user_agent: &'static str,
    pub(super) micros: i64,
}

impl Call {
    /// A usual one, so many seconds after [`long_ago`].
    pub(super) fn after(seconds: i64) -> Self {
        Self {
            at: long_ago() + TimeDelta::seconds(seconds),
            endpoint: "/orders",
            method: "GET",
            status: 200,
            verdict: Verdict::Valid,
            ip: Some("192.0.2.7"),
            user_agent: "curl/8.5.0",
            micros: 100,
        }
    }
}

fn id(token: &Value, member: &str) -> Uuid {
    text(token, member).parse().unwrap()
}

/// Adds single requests, without their sums.
pub(super) async fn add_requests(pool: &PgPool, token: &Value, calls: &[Call]) {
    for call in calls {
        sqlx::query("select usage_partition_create($1::date)")
            .bind(call.at.date_naive())
            .execute(pool)
            .await
            .unwrap();
        sqlx::query(
            r#"insert into api_token_usage (token_id, account_id, "timestamp", token_version,
                response_time_us, status, verdict, timestamp_replaced, method, endpoint, user_agent,
                ip)
            values ($1, $2, $3, 1, $4, $5, $6, false, $7, $8, $9, $10::inet)"#,
        )
        .bind(id(token, "id"))
        .bind(id(token, "account_id"))
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
}

/// Makes the sums of all requests that there are.
pub(super) async fn sum_up(pool: &PgPool) {
    for (rollup, width) in [("hourly", "1 hour"), ("daily", "1 day")] {
        let emptied = format!("delete from api_token_usage_{rollup}");
        // A histogram counts by how many bits a time has beyond four.
        let sums = format!(
            r#"insert into api_token_usage_{rollup}
            select token_id, start, endpoint, method, class, count(*),
                count(*) filter (where failed),
                array(
                    select count(*) filter (where found = place)
                    from generate_series(0, 23) as place, unnest(array_agg(slot)) as found
                    group by place order by place
                )
            from (
                select token_id, date_bin('{width}', "timestamp", '1970-01-01Z') as start,
                    usage_endpoint_template(endpoint) as endpoint, method,
                    (status / 100)::smallint as class, verdict <> 0 or status >= 400 as failed,
                    greatest(0, length(ltrim(response_time_us::int::bit(32)::text, '0')) - 4) as slot
                from api_token_usage
            ) as calls
            group by 1, 2, 3, 4, 5"#
        );
        for statement in [emptied, sums] {
            let done = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(pool);
            done.await.unwrap();
        }
    }
    sum_up_accounts(pool).await;
}

/// Adds requests and their sums.
pub(super) async fn add(pool: &PgPool, token: &Value, calls: &[Call]) {
    add_requests(pool, token, calls).await;
    sum_up(pool).await;
}

/// The path to a token's usage.
pub(super) fn usage_of(token: &Value, query: &str) -> String {
    format!("/v1/tokens/{}/usage?{query}", text(token, "id"))
}

/// A range from [`long_ago`] on, as a query holds it.
pub(super) fn hours(from: i64, to: i64) -> String {
    let hour = |hours| at(long_ago() + TimeDelta::hours(hours));
    format!("from={}&to={}", hour(from), hour(to))
}

/// What is told, in short: the key of each group and its requests.
pub(super) fn groups(series: &Value) -> Vec<(String, i64)> {
    let groups = series["groups"].as_array().expect("groups").iter();
    let short = |group: &Value| {
        let requests = group["total"]["requests"].as_i64().unwrap();
        (text(group, "key").to_owned(), requests)
    };
    groups.map(short).collect()
}

/// The requests of each bucket.
pub(super) fn counts(series: &Value) -> Vec<i64> {
    let buckets = series["buckets"].as_array().expect("buckets").iter();
    buckets.map(|it| it["requests"].as_i64().unwrap()).collect()
}

/// Asks, and gives the answer.
pub(super) async fn ask(person: &Person, path: &str) -> Value {
    person.get(path).await.expect(200)
}

/// 400 with this code, whose detail has this word.
#[track_caller]
pub(super) fn refused(answer: &Answer, code: &str, word: &str) {
    let body = problem(answer, 400, code);
    let detail = text(&body, "detail");
    let mut words = detail.split(|it: char| !(it.is_alphanumeric() || it == '_'));
    assert!(words.any(|it| it == word), "{word}: {detail}");
}
