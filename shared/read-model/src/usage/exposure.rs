//! All that a token did since a moment, for whoever must know what a leak came to.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, QueryBuilder};
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::verdict::Verdict;

use super::Selection;
use crate::{Reach, unknown};

/// The most that is told of each kind, the largest first.
pub const MOST_TRACES: i64 = 100;

/// How often, and when.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Trace {
    pub requests: i64,
    /// How many of them passed.
    pub allowed: i64,
    pub first_seen: Option<DateTime<Utc>>,
    pub last_seen: Option<DateTime<Utc>>,
}

/// What a token did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Exposure {
    pub total: Option<Trace>,
    pub last_allowed: Option<DateTime<Utc>>,
    pub last_refused: Option<DateTime<Utc>>,
    /// How many passed after the moment that is asked about.
    pub allowed_after: i64,
    pub verdicts: Traces<Verdict>,
    pub endpoints: Traces<String>,
    pub methods: Traces<String>,
    /// None is for requests whose address is not kept.
    pub addresses: Traces<Option<IpAddr>>,
    pub networks: Traces<Option<String>>,
}

/// Traces of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traces<K> {
    /// The largest, at most [`MOST_TRACES`].
    pub items: Vec<(K, Trace)>,
    /// How many there are in all.
    pub count: i64,
}

impl<K> Default for Traces<K> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            count: 0,
        }
    }
}

impl<K> Traces<K> {
    fn add(&mut self, key: K, row: Row) {
        self.count = row.count;
        self.items.push((key, row.trace));
    }
}

#[derive(FromRow)]
struct Row {
    /// A bit for each kind that the row is not about.
    kind: i32,
    key: Option<String>,
    count: i64,
    #[sqlx(flatten)]
    trace: Trace,
    last_allowed: Option<DateTime<Utc>>,
    last_refused: Option<DateTime<Utc>>,
    allowed_after: i64,
}

/// What the token did from `since` on, and how much of it passed after `end`.
///
/// # Errors
/// If the database does not answer, or not in the time it is given.
pub async fn exposure(
    db: &mut PgConnection,
    reach: Reach,
    token: TokenId,
    since: DateTime<Utc>,
    end: Option<DateTime<Utc>>,
) -> Result<Exposure, sqlx::Error> {
    let mut sql = QueryBuilder::new(
        r#"with calls as (
            select "timestamp" as at, verdict, usage_endpoint_template(endpoint) as endpoint, method,
                host(ip) as address, network(set_masklen(ip,
                    case family(ip) when 4 then 24 else 48 end))::text as network
            from api_token_usage where "timestamp" >= "#,
    );
    sql.push_bind(since);
    let selection = Selection {
        token: Some(token),
        account: None,
    };
    selection.push(&mut sql, reach);
    sql.push(
        "), sums as (
            select grouping(verdict, endpoint, method, address, network) as kind,
                case grouping(verdict, endpoint, method, address, network)
                    when 15 then verdict::text when 23 then endpoint when 27 then method
                    when 29 then address when 30 then network
                end as key,
                count(*) as requests, count(*) filter (where verdict = 0) as allowed,
                min(at) as first_seen, max(at) as last_seen,
                max(at) filter (where verdict = 0) as last_allowed,
                max(at) filter (where verdict <> 0) as last_refused,
                count(*) filter (where verdict = 0 and at > ",
    );
    sql.push_bind(end);
    sql.push(
        ") as allowed_after
            from calls
            group by grouping sets ((), (verdict), (endpoint), (method), (address), (network))
        ), ranked as (
            select *, count(*) over (partition by kind) as count,
                row_number() over (partition by kind order by requests desc, key) as place
            from sums
        )
        select * from ranked where place <= ",
    );
    sql.push_bind(MOST_TRACES).push(" order by kind, place");
    let query = sql.build_query_as::<Row>().persistent(false);
    let rows = query.fetch_all(db).await?;
    let mut exposure = Exposure::default();
    for mut row in rows {
        let key = row.key.take();
        match row.kind {
            15 => {
                let number = key.and_then(|it| it.parse().ok());
                let verdict = number.and_then(Verdict::from_number);
                let verdict = verdict.ok_or_else(|| unknown("api_token_usage.verdict"))?;
                exposure.verdicts.add(verdict, row);
            }
            23 => exposure.endpoints.add(key.unwrap_or_default(), row),
            27 => exposure.methods.add(key.unwrap_or_default(), row),
            29 => {
                let address = key.map(|it| it.parse()).transpose();
                let address = address.map_err(|_| unknown("api_token_usage.ip"))?;
                exposure.addresses.add(address, row);
            }
            30 => exposure.networks.add(key, row),
            _ => {
                exposure.last_allowed = row.last_allowed;
                exposure.last_refused = row.last_refused;
                exposure.allowed_after = row.allowed_after;
                exposure.total = Some(row.trace);
            }
        }
    }
    Ok(exposure)
}
