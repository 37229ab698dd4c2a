//! Pages of tokens, from the newest to the oldest. A page costs the same however many tokens there
//! are.
//!
//! A page first walks down the ids, in the narrowest order that the filter allows, and looks at
//! no more than [`EXAMINED`] tokens. What is common is found there. If the page is not full by then,
//! what is asked for is rare, and an index gives all of it if that is at most [`CANDIDATES`] tokens.
//! What was not used no index gives: the ids of [`COMPARED`] more tokens are looked for among what was.
//! Where none of it helps the page comes back short, and says where to go on.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, Postgres, QueryBuilder};
use tollkeeper_domain::ids::TokenId;
use uuid::Uuid;

use super::TokenRow;
use super::filter::TokenFilter;
use super::index::Rare;
use crate::Reach;

/// How many tokens a walk looks at.
pub(super) const EXAMINED: i64 = 2000;

/// How many tokens an index may find to be looked at one by one.
pub(super) const CANDIDATES: i64 = 2000;

/// How many ids are looked for among what was used: no token is read for it.
pub(super) const COMPARED: i64 = 20_000;

/// How many tokens an index may be expected to find where it gives all of them or none.
const EXPECTED: f64 = 8000.0;

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Only tokens after this one: ids go down from the newest.
    pub before: Option<TokenId>,
    /// At most this many.
    pub limit: usize,
}

/// A part of a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenPage {
    /// The tokens, the newest first. There may be fewer than asked for, and even none, before the
    /// end of the list.
    pub rows: Vec<TokenRow>,
    /// Where the list goes on; none at its end. This and nothing else tells the end.
    pub next: Option<TokenId>,
}

/// Tokens as they are at `now`, from the newest to the oldest.
///
/// # Errors
/// If the database does not answer.
pub async fn list(
    db: &mut PgConnection,
    reach: Reach,
    filter: &TokenFilter,
    window: Window,
    now: DateTime<Utc>,
) -> Result<TokenPage, sqlx::Error> {
    let Some(filter) = filter.within(reach) else {
        return Ok(TokenPage::default());
    };
    let (low, high) = bounds(&filter, window);
    let floor = if filter.selects() {
        let mut sql = floor_statement(QueryBuilder::default(), &filter, (low, high), EXAMINED);
        // A statement that is kept gets one plan for all values in time.
        let query = sql.build_query_scalar::<Uuid>().persistent(false);
        query.fetch_optional(&mut *db).await?
    } else {
        None
    };
    let range = (floor.unwrap_or(low), high);
    let sql = QueryBuilder::default();
    let mut sql = walk_statement(sql, &filter, range, window.limit, now);
    let walked = sql.build_query_as().persistent(false);
    let page = TokenPage::of(walked.fetch_all(&mut *db).await?, window.limit);
    let Some(floor) = floor.filter(|_| page.next.is_none()) else {
        return Ok(page);
    };
    let rest = (low, floor);
    let (ids, next) = match candidates(&mut *db, filter.rare(now), rest, CANDIDATES).await? {
        Some(ids) => (ids, None),
        None if filter.asks_of_no_use() => unused(&mut *db, &filter, rest).await?,
        None => {
            let next = Some(floor.into());
            return Ok(TokenPage { next, ..page });
        }
    };
    let room = window.limit - page.rows.len();
    let mut sql = chosen_statement(QueryBuilder::default(), &filter, ids, room, now);
    let chosen = sql.build_query_as().persistent(false);
    let mut rows = page.rows;
    rows.extend(chosen.fetch_all(db).await?);
    let page = TokenPage::of(rows, window.limit);
    let next = page.next.or(next.map(TokenId::from));
    Ok(TokenPage { next, ..page })
}

/// The tokens of the range that may not have been used as is asked, the newest first, and how far it was looked
/// for them; none if that is the end of the range.
async fn unused(
    db: &mut PgConnection,
    filter: &TokenFilter,
    (low, high): Range,
) -> Result<(Vec<Uuid>, Option<Uuid>), sqlx::Error> {
    let mut sql = floor_statement(QueryBuilder::default(), filter, (low, high), COMPARED);
    let query = sql.build_query_scalar::<Uuid>().persistent(false);
    let floor = query.fetch_optional(&mut *db).await?;
    let range = (floor.unwrap_or(low), high);
    let mut sql = unused_statement(QueryBuilder::default(), filter, range);
    let query = sql.build_query_scalar().persistent(false);
    let mut ids: Vec<Uuid> = query.fetch_all(db).await?;
    let most = usize::try_from(CANDIDATES).unwrap_or(usize::MAX);
    let is_cut = ids.len() > most;
    ids.truncate(most);
    let last = ids.last().copied().filter(|_| is_cut);
    Ok((ids, last.or(floor)))
}

/// Ids of the tokens within reach, of the account and the time of creation that the filter names,
/// from the newest to the oldest, whatever became of them.
///
/// # Errors
/// If the database does not answer.
pub async fn ids(
    db: impl PgExecutor<'_>,
    reach: Reach,
    filter: &TokenFilter,
    before: Option<TokenId>,
    limit: i64,
) -> Result<Vec<TokenId>, sqlx::Error> {
    let Some(filter) = filter.within(reach) else {
        return Ok(Vec::new());
    };
    let (low, high) = filter.ids();
    let high = before.map_or(high, |before| high.min(before.0));
    let ids =
        match filter.account {
            None => sqlx::query_scalar!(
                "select id from api_tokens where id >= $1 and id < $2 order by id desc limit $3",
                low,
                high,
                limit,
            )
            .fetch_all(db)
            .await?,
            Some(account) => {
                sqlx::query_scalar!(
                    "select id from api_tokens where account_id = $1 and id >= $2 and id < $3
                order by id desc limit $4",
                    account.0,
                    low,
                    high,
                    limit,
                )
                .fetch_all(db)
                .await?
            }
        };
    Ok(ids.into_iter().map(TokenId).collect())
}

impl TokenPage {
    /// A page from one row more than `limit`, which shows whether anything follows.
    fn of(mut rows: Vec<TokenRow>, limit: usize) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| row.id.into());
        Self { rows, next }
    }
}

/// From which id on, up to but without which one.
type Range = (Uuid, Uuid);

/// The ids that the window can show.
pub(super) fn bounds(filter: &TokenFilter, window: Window) -> Range {
    let (low, high) = filter.ids();
    (low, window.before.map_or(high, |before| high.min(before.0)))
}

/// The id at which a walk ends before the list does; none if it reaches the end.
pub(super) fn floor_statement(
    mut sql: QueryBuilder<Postgres>,
    filter: &TokenFilter,
    range: Range,
    number: i64,
) -> QueryBuilder<Postgres> {
    sql.push("select t.id from api_tokens as t where true");
    push_range(&mut sql, filter, range);
    sql.push(" offset ").push_bind(number - 1).push(" limit 1");
    sql
}

/// The ids of the range that are not among what was used as is not asked for; one more than [`CANDIDATES`] at
/// most. That none of it is passed over is enough: the conditions follow.
pub(super) fn unused_statement(
    mut sql: QueryBuilder<Postgres>,
    filter: &TokenFilter,
    range: Range,
) -> QueryBuilder<Postgres> {
    sql.push("select e.id from (select t.id from api_tokens as t where true");
    push_range(&mut sql, filter, range);
    // The limits have the ids looked for one by one, whatever the planner expects.
    sql.push(" limit ").push_bind(2 * COMPARED).push(
        ") as e left join lateral (
            select token_id from api_token_usage_totals where token_id = e.id",
    );
    filter.push_use(&mut sql);
    sql.push(" limit 1) as u on true where u.token_id is null limit ")
        .push_bind(CANDIDATES + 1);
    sql
}

/// What the filter means among the tokens of the range; one more than `limit` at most.
pub(super) fn walk_statement(
    mut sql: QueryBuilder<Postgres>,
    filter: &TokenFilter,
    range: Range,
    limit: usize,
    now: DateTime<Utc>,
) -> QueryBuilder<Postgres> {
    push_select(&mut sql, now);
    // The limit holds the planner to the order, whatever it expects of the conditions. Where the range
    // has an end, that ends the walk: tokens can have been issued since it was looked for.
    sql.push("(select t.* from api_tokens as t where true");
    push_range(&mut sql, filter, range);
    let most = if filter.selects() {
        2 * EXAMINED
    } else {
        more_than(limit)
    };
    sql.push(" limit ").push_bind(most).push(")");
    push_meant(&mut sql, filter, now);
    match filter.order() {
        Some(order) => order.push_order(&mut sql),
        None => {
            sql.push(" order by t.id desc");
        }
    }
    sql.push(" limit ").push_bind(more_than(limit));
    sql
}

/// The ids of all tokens of the range that can be meant; none if no index tells, or more than `most`.
pub(super) async fn candidates(
    db: &mut PgConnection,
    rare: Vec<Rare<'_>>,
    (low, high): Range,
    most: i64,
) -> Result<Option<Vec<Uuid>>, sqlx::Error> {
    for rare in rare {
        if !is_rare(&mut *db, &rare).await? {
            continue;
        }
        let mut sql = candidates_statement(QueryBuilder::default(), &rare, (low, high), most);
        let query = sql.build_query_scalar().persistent(false);
        let mut ids: Vec<Uuid> = query.fetch_all(&mut *db).await?;
        if i64::try_from(ids.len()).is_ok_and(|count| count <= most) {
            ids.retain(|id| (low..high).contains(id));
            return Ok(Some(ids));
        }
    }
    Ok(None)
}

/// Whether an index can be asked for what the condition leaves. Where it has an order, it stops at
/// the limit. Where it has none, it is read as a whole, or the planner would rather read the table:
/// so its statistics have to promise few.
pub(super) async fn is_rare(db: &mut PgConnection, rare: &Rare<'_>) -> Result<bool, sqlx::Error> {
    if rare.has_order() {
        return Ok(true);
    }
    let mut sql = QueryBuilder::new("explain (format json) ");
    sql.push(rare.select());
    rare.push(&mut sql, (Uuid::nil(), Uuid::max()));
    let query = sql.build_query_scalar().persistent(false);
    let plan: Value = query.fetch_one(db).await?;
    let expected = plan.pointer("/0/Plan/Plan Rows").and_then(Value::as_f64);
    Ok(expected.is_some_and(|rows| rows <= EXPECTED))
}

/// The ids that a condition leaves, in no order; one more than `most` at most.
pub(super) fn candidates_statement(
    mut sql: QueryBuilder<Postgres>,
    rare: &Rare<'_>,
    range: Range,
    most: i64,
) -> QueryBuilder<Postgres> {
    sql.push(rare.select());
    rare.push(&mut sql, range);
    sql.push(" limit ").push_bind(most.saturating_add(1));
    sql
}

/// What the filter means among these tokens; one more than `limit` at most.
pub(super) fn chosen_statement(
    mut sql: QueryBuilder<Postgres>,
    filter: &TokenFilter,
    ids: Vec<Uuid>,
    limit: usize,
    now: DateTime<Utc>,
) -> QueryBuilder<Postgres> {
    push_select(&mut sql, now);
    sql.push("(select t.* from api_tokens as t where t.id = any (")
        .push_bind(ids)
        .push("))");
    push_meant(&mut sql, filter, now);
    sql.push(" order by t.id desc limit ")
        .push_bind(more_than(limit));
    sql
}

fn push_select(sql: &mut QueryBuilder<Postgres>, now: DateTime<Utc>) {
    push_columns(sql, now);
    sql.push(" from ");
}

/// The columns of a [`TokenRow`], of the tables `t` (tokens) and `u` (totals of use).
pub(super) fn push_columns(sql: &mut QueryBuilder<Postgres>, now: DateTime<Utc>) {
    sql.push(
        "select t.id, t.account_id, t.name, t.environment, t.token_prefix, t.scopes, t.metadata,
            t.allowed_cidrs, t.rate_limits, t.quotas, t.not_before, t.expires_at,
            case when t.state <> 'revoked' and t.expires_at <= ",
    );
    sql.push_bind(now).push(
        " then 'expired' else t.state end as state,
            t.revocation_reason, t.revoked_at, t.issued_by, t.created_at, t.updated_at, t.version,
            coalesce(u.usage_count, 0) as usage_count, u.last_used_at",
    );
}

fn push_range(sql: &mut QueryBuilder<Postgres>, filter: &TokenFilter, (low, high): Range) {
    match filter.order() {
        Some(order) => order.push_range(sql, low, high),
        None => {
            sql.push(" and t.id >= ").push_bind(low);
            sql.push(" and t.id < ").push_bind(high);
            sql.push(" order by t.id desc");
        }
    }
}

/// The usage of what was selected, and the conditions.
pub(super) fn push_meant(
    sql: &mut QueryBuilder<Postgres>,
    filter: &TokenFilter,
    now: DateTime<Utc>,
) {
    // The limit has the usage looked up token by token: otherwise the planner would rather read all
    // usage there is where it expects little to match.
    sql.push(
        " as t left join lateral (
            select usage_count, last_used_at from api_token_usage_totals
            where token_id = t.id limit 1
        ) as u on true where true",
    );
    filter.push(sql, now);
}

pub(super) fn more_than(limit: usize) -> i64 {
    i64::try_from(limit).map_or(i64::MAX, |limit| limit.saturating_add(1))
}
