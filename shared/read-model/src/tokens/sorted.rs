//! Pages of tokens in any order. What a page looks at is bounded, as it is for the list from the newest to
//! the oldest: it walks down an index, and where little is meant it looks for that by another.
//!
//! By the last use there is an index on its hour alone: one on the moment would change with every batch of
//! usage. Where the tokens in question are few they are sorted by the moment, without it.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::TokenRow;
use super::filter::TokenFilter;
use super::lane::{Lane, NAME, Stretch};
use super::list::{CANDIDATES, candidates, more_than, push_columns, push_meant};
use super::sort::{Key, Place, SortBy, Sorted, SortedRow};
use crate::Reach;

/// How many tokens are sorted by the moment of their last use. A list that began so goes on so while there
/// are less than twice as many.
const FEW: i64 = 5000;

/// All ids.
const ALL: (Uuid, Uuid) = (Uuid::nil(), Uuid::max());

/// A part of a sorted list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SortedPage {
    /// The tokens, in order. There may be fewer than asked for, and even none, before the end of the
    /// list.
    pub rows: Vec<TokenRow>,
    /// Where the list goes on; none at its end. This and nothing else tells the end.
    pub next: Option<Place>,
}

/// What is asked of the database.
pub(super) struct Question<'a> {
    pub(super) filter: &'a TokenFilter,
    pub(super) asked: &'a Sorted,
    pub(super) now: DateTime<Utc>,
}

/// Tokens as they are at `now`, in the order that is asked for. A place that is none of this order is the
/// beginning.
///
/// # Errors
/// If the database does not answer.
pub async fn sorted(
    db: &mut PgConnection,
    reach: Reach,
    filter: &TokenFilter,
    asked: &Sorted,
    now: DateTime<Utc>,
) -> Result<SortedPage, sqlx::Error> {
    let Some(filter) = filter.within(reach) else {
        return Ok(SortedPage::default());
    };
    let by = asked.sort.by;
    let after = asked.after.as_ref();
    let after = after.filter(|place| by.has(&place.key));
    let question = Question {
        filter: &filter,
        asked,
        now,
    };
    if let Some(ids) = question.few(db, after).await? {
        let rows = question.chosen(db, ids, after, asked.limit).await?;
        return Ok(page(rows, asked, false));
    }
    let is_by_hour = by == SortBy::LastUsed;
    let mut found = Vec::new();
    for lane in &Lane::of(&filter, asked.sort, after, now) {
        let after = after.filter(|place| lane.holds(place));
        let floor = question.floor(db, lane, after).await?;
        let room = asked.limit.saturating_sub(found.len());
        let mut sql = QueryBuilder::default();
        question.push_walk(&mut sql, lane, (after, floor.as_ref()), room);
        found.extend(rows(db, sql).await?);
        if found.len() > asked.limit {
            break;
        }
        let Some(floor) = floor else { continue };
        let rare = if is_by_hour {
            // There are too many, as has turned out above.
            None
        } else {
            candidates(db, filter.narrow(now), ALL, CANDIDATES).await?
        };
        let Some(ids) = rare else {
            let page = page(found, asked, is_by_hour);
            return Ok(SortedPage {
                next: Some(floor),
                ..page
            });
        };
        let room = asked.limit.saturating_sub(found.len());
        found.extend(question.chosen(db, ids, Some(&floor), room).await?);
        break;
    }
    Ok(page(found, asked, is_by_hour))
}

impl Question<'_> {
    /// The tokens in question, if the order is that of last uses and they can be sorted without an index.
    pub(super) async fn few(
        &self,
        db: &mut PgConnection,
        after: Option<&Place>,
    ) -> Result<Option<Vec<Uuid>>, sqlx::Error> {
        let most = match after.map(|place| &place.key) {
            _ if self.asked.sort.by != SortBy::LastUsed => return Ok(None),
            // A list that goes by the hour goes on by the hour.
            Some(Key::Hour(_)) => return Ok(None),
            Some(_) => 2 * FEW,
            None => FEW,
        };
        candidates(db, self.filter.narrow(self.now), ALL, most).await
    }

    /// The place at which a walk ends before the lane does; none if it reaches the end.
    pub(super) async fn floor(
        &self,
        db: &mut PgConnection,
        lane: &Lane,
        after: Option<&Place>,
    ) -> Result<Option<Place>, sqlx::Error> {
        if !lane.selects(self.filter) {
            return Ok(None);
        }
        let mut sql = QueryBuilder::default();
        lane.push_place(&mut sql, (after, None), lane.examined());
        let query = sql.build_query_as().persistent(false);
        let found = query.fetch_optional(db).await?;
        Ok(found.map(|found| lane.place(found)))
    }

    /// What the filter means of the stretch; one more than `limit` at most.
    pub(super) fn push_walk(
        &self,
        sql: &mut QueryBuilder<Postgres>,
        lane: &Lane,
        stretch: Stretch<'_>,
        limit: usize,
    ) {
        let most = if lane.selects(self.filter) {
            // Tokens can have been issued since the end of the stretch was looked for.
            2 * lane.examined()
        } else {
            more_than(limit)
        };
        self.push_select(sql);
        lane.push_tokens(sql, stretch, most);
        push_meant(sql, self.filter, self.now);
        sql.push(lane.condition());
        lane.push_order(sql);
        sql.push(" limit ").push_bind(more_than(limit));
    }

    async fn chosen(
        &self,
        db: &mut PgConnection,
        ids: Vec<Uuid>,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<SortedRow>, sqlx::Error> {
        let mut sql = QueryBuilder::default();
        self.push_chosen(&mut sql, ids, after, limit);
        rows(db, sql).await
    }

    /// What the filter means among these tokens and comes behind the place; one more than `limit` at most.
    pub(super) fn push_chosen(
        &self,
        sql: &mut QueryBuilder<Postgres>,
        ids: Vec<Uuid>,
        after: Option<&Place>,
        limit: usize,
    ) {
        self.push_select(sql);
        sql.push("(select t.* from unnest(")
            .push_bind(ids)
            // The limit has the tokens looked up one by one: the planner would rather read the table.
            .push(
                "::uuid[]) as e (id) cross join lateral (
                    select * from api_tokens where id = e.id limit 1
                ) as t)",
            );
        push_meant(sql, self.filter, self.now);
        let key = match self.asked.sort.by {
            SortBy::Created => None,
            SortBy::Name => Some(NAME),
            SortBy::Expires => Some("t.expires_at"),
            SortBy::LastUsed => Some("u.last_used_at"),
        };
        let (operator, direction) = if self.asked.sort.is_descending {
            ("<", " desc")
        } else {
            (">", "")
        };
        if let Some(place) = after {
            push_behind(sql, key, operator, place);
        }
        sql.push(" order by ");
        if let Some(key) = key {
            sql.push(format_args!("{key}{direction} nulls last, "));
        }
        sql.push(format_args!("t.id{direction} limit "))
            .push_bind(more_than(limit));
    }

    fn push_select(&self, sql: &mut QueryBuilder<Postgres>) {
        push_columns(sql, self.now);
        sql.push(format_args!(", {NAME} as name_key from "));
    }
}

fn push_behind(sql: &mut QueryBuilder<Postgres>, key: Option<&str>, operator: &str, place: &Place) {
    let id = place.id.0;
    let Some(key) = key else {
        sql.push(format_args!(" and t.id {operator} "))
            .push_bind(id);
        return;
    };
    let push_key = |sql: &mut QueryBuilder<Postgres>| match &place.key {
        Key::Name(name) => {
            sql.push_bind(name.clone());
        }
        Key::Time(time) | Key::Hour(time) => {
            sql.push_bind(*time);
        }
        Key::Id | Key::Never => {
            sql.push("null");
        }
    };
    if place.key == Key::Never {
        sql.push(format_args!(" and {key} is null and t.id {operator} "))
            .push_bind(id);
        return;
    }
    sql.push(format_args!(" and ({key} is null or {key} {operator} "));
    push_key(sql);
    sql.push(format_args!(" or {key} = "));
    push_key(sql);
    sql.push(format_args!(" and t.id {operator} "))
        .push_bind(id)
        .push(")");
}

async fn rows(
    db: &mut PgConnection,
    mut sql: QueryBuilder<Postgres>,
) -> Result<Vec<SortedRow>, sqlx::Error> {
    let query = sql.build_query_as().persistent(false);
    query.fetch_all(db).await
}

/// A page from one row more than its limit, which shows whether anything follows.
fn page(mut rows: Vec<SortedRow>, asked: &Sorted, is_by_hour: bool) -> SortedPage {
    let more = rows.len() > asked.limit;
    rows.truncate(asked.limit);
    let last = rows.last().filter(|_| more);
    SortedPage {
        next: last.map(|row| row.place(asked.sort.by, is_by_hour)),
        rows: rows.into_iter().map(|it| it.row).collect(),
    }
}
