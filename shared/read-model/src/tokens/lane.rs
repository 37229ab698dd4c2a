//! The parts of a list that one index holds in the list's order, and how they are read: from one place on,
//! up to another.
//!
//! Bounds compare whole rows of columns, the account's included: no index in another order can be taken
//! then, whatever the planner expects.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};
use tollkeeper_domain::token::Status;
use uuid::Uuid;

use super::filter::TokenFilter;
use super::list::EXAMINED;
use super::sort::{Key, Place, Sort, SortBy, hour};

/// How many tokens a walk looks at by the hour of their last use: those of one account are far between.
const EXAMINED_BY_HOUR: i64 = 5000;

/// How names are sorted.
pub(super) const NAME: &str = r#"lower(t.name) collate "C""#;

/// Some of the tokens of a list, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All, by id.
    Ids,
    /// All, by name.
    Names,
    /// Those that expire, by when they do.
    Expiries,
    /// Those that never expire, by id.
    NoExpiry,
    /// Those that were used, by the hour of the last use.
    Hours,
    /// Those that were never used, by id.
    NoUse,
}

/// A part of a list, of an account if it is the list of one, as far as the filter can leave it out by its
/// order.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    part: Part,
    account: Option<Uuid>,
    is_descending: bool,
    /// What no row comes before.
    begin: Vec<Cell>,
    /// What each row is below, or not above.
    end: (&'static str, Vec<Cell>),
}

/// From behind which place, up to and with which.
pub(super) type Stretch<'a> = (Option<&'a Place>, Option<&'a Place>);

/// What a column is compared with.
#[derive(Debug, Clone)]
enum Cell {
    Id(Uuid),
    Text(String),
    Time(DateTime<Utc>),
    Hour(DateTime<Utc>),
    /// What comes after all times, and before none.
    Infinity,
}

impl Part {
    /// The parts of a list, in their order, without those in which nothing can be meant.
    fn of(filter: &TokenFilter, by: SortBy) -> Vec<Self> {
        let expires = filter.expires.is_bounded() || filter.state == Some(Status::Expired);
        let is_used = filter.last_used.is_bounded() || filter.never_used == Some(false);
        let parts = match by {
            SortBy::Created => [Some(Self::Ids), None],
            SortBy::Name => [Some(Self::Names), None],
            SortBy::Expires => [Some(Self::Expiries), (!expires).then_some(Self::NoExpiry)],
            SortBy::LastUsed => [
                (filter.never_used != Some(true)).then_some(Self::Hours),
                (!is_used).then_some(Self::NoUse),
            ],
        };
        parts.into_iter().flatten().collect()
    }

    /// Whether its tokens have none of what the list is sorted by.
    const fn is_of_none(self) -> bool {
        matches!(self, Self::NoExpiry | Self::NoUse)
    }
}

impl Lane {
    /// The parts of the list from the one on that holds the place, in their order.
    pub(super) fn of(
        filter: &TokenFilter,
        sort: Sort,
        after: Option<&Place>,
        now: DateTime<Utc>,
    ) -> Vec<Self> {
        let is_past = after.is_some_and(|place| place.key == Key::Never);
        let parts = Part::of(filter, sort.by).into_iter();
        let parts = parts.filter(|part| part.is_of_none() || !is_past);
        parts
            .map(|part| Self::new(part, filter, sort.is_descending, now))
            .collect()
    }

    fn new(part: Part, filter: &TokenFilter, is_descending: bool, now: DateTime<Utc>) -> Self {
        let ids = filter.ids();
        let (begin, end) = match part {
            Part::Ids | Part::NoUse => (vec![Cell::Id(ids.0)], vec![Cell::Id(ids.1)]),
            Part::Names => (vec![], vec![]),
            Part::Expiries => {
                let period = filter.expiries(now);
                let end = period.before.map_or(Cell::Infinity, Cell::Time);
                (
                    period.after.map(Cell::Time).into_iter().collect(),
                    vec![end],
                )
            }
            Part::NoExpiry => (
                vec![Cell::Infinity, Cell::Id(ids.0)],
                vec![Cell::Infinity, Cell::Id(ids.1)],
            ),
            Part::Hours => {
                let last = [filter.last_used.before, filter.unused_since];
                let last = last.into_iter().flatten().min();
                let after = filter.last_used.after;
                let cells = |time: Option<DateTime<Utc>>| {
                    time.map(|time| Cell::Hour(hour(time)))
                        .into_iter()
                        .collect()
                };
                (cells(after), cells(last))
            }
        };
        // Totals have no owners.
        let account = filter.account.filter(|_| part != Part::Hours);
        let account = account.map(|account| account.0);
        // Of an hour, and of an account by name, the last is not known: all of it is the end.
        let is_whole = matches!(part, Part::Hours | Part::Names);
        let with_account = |cells: Vec<Cell>| {
            let account = account.map(Cell::Id);
            account.into_iter().chain(cells).collect()
        };
        Self {
            part,
            account,
            is_descending,
            begin: with_account(begin),
            end: (if is_whole { "<=" } else { "<" }, with_account(end)),
        }
    }

    /// Whether the place is one of this part.
    pub(super) const fn holds(&self, place: &Place) -> bool {
        match self.part {
            Part::Ids => matches!(place.key, Key::Id),
            Part::Names => matches!(place.key, Key::Name(_)),
            Part::Expiries => matches!(place.key, Key::Time(_)),
            Part::Hours => matches!(place.key, Key::Time(_) | Key::Hour(_)),
            Part::NoExpiry | Part::NoUse => matches!(place.key, Key::Never),
        }
    }

    /// Whether tokens have to be looked at to tell those that are meant; otherwise each one is.
    pub(super) fn selects(&self, filter: &TokenFilter) -> bool {
        let beside = match self.part {
            Part::Hours => filter.account.is_some(),
            Part::NoUse => true,
            _ => false,
        };
        beside || filter.issued_by.is_some() || filter.selects()
    }

    /// How many of its tokens a walk looks at.
    pub(super) const fn examined(&self) -> i64 {
        match self.part {
            Part::Hours => EXAMINED_BY_HOUR,
            _ => EXAMINED,
        }
    }

    /// Selects the place that is `number` of tokens behind where the stretch begins.
    pub(super) fn push_place(
        &self,
        sql: &mut QueryBuilder<Postgres>,
        stretch: Stretch<'_>,
        number: i64,
    ) {
        let columns = match self.part {
            Part::Names => format!("{NAME} as name, null::timestamptz as time, t.id"),
            Part::Expiries => "null::text as name, t.expires_at as time, t.id".to_owned(),
            Part::Hours => {
                "null::text as name, u.last_used_hour at time zone 'UTC' as time, u.token_id as id"
                    .to_owned()
            }
            _ => "null::text as name, null::timestamptz as time, t.id".to_owned(),
        };
        sql.push(format_args!("select {columns}"));
        self.push_from(sql, stretch);
        sql.push(" offset ").push_bind(number - 1).push(" limit 1");
    }

    /// The place of what [`push_place`](Self::push_place) selects.
    pub(super) fn place(
        &self,
        (name, time, id): (Option<String>, Option<DateTime<Utc>>, Uuid),
    ) -> Place {
        let key = match self.part {
            Part::Ids => Key::Id,
            Part::Names => Key::Name(name.unwrap_or_default()),
            Part::Expiries => time.map_or(Key::Never, Key::Time),
            Part::Hours => time.map_or(Key::Never, Key::Hour),
            Part::NoExpiry | Part::NoUse => Key::Never,
        };
        Place { key, id: id.into() }
    }

    /// Selects whole tokens of the stretch, with what they are sorted by: `most` of them at most.
    pub(super) fn push_tokens(
        &self,
        sql: &mut QueryBuilder<Postgres>,
        stretch: Stretch<'_>,
        most: i64,
    ) {
        if self.part == Part::Hours {
            sql.push(
                "(select t.*, e.last_used_hour as sort_key, e.token_id as sort_id
                from (select u.token_id, u.last_used_hour",
            );
            self.push_from(sql, stretch);
            // The limit has the tokens looked up one by one, in this order.
            sql.push(" limit ").push_bind(most).push(
                ") as e cross join lateral (
                    select * from api_tokens where id = e.token_id limit 1
                ) as t)",
            );
            return;
        }
        sql.push("(select t.*, t.id as sort_id");
        if let Some(key) = self.key() {
            sql.push(format_args!(", {key} as sort_key"));
        }
        self.push_from(sql, stretch);
        sql.push(" limit ").push_bind(most).push(")");
    }

    /// What no index tells of the part: a condition of the tables `t` and `u`.
    pub(super) const fn condition(&self) -> &'static str {
        match self.part {
            Part::NoUse => " and u.last_used_at is null",
            _ => "",
        }
    }

    /// The order of what [`push_tokens`](Self::push_tokens) selects.
    pub(super) fn push_order(&self, sql: &mut QueryBuilder<Postgres>) {
        let account = self.account.map(|_| "t.account_id");
        let key = self.key().map(|_| "t.sort_key");
        let columns = [account, key, Some("t.sort_id")];
        self.push_order_by(sql, columns.into_iter().flatten());
    }

    fn push_from(&self, sql: &mut QueryBuilder<Postgres>, stretch: Stretch<'_>) {
        sql.push(match self.part {
            Part::Hours => " from api_token_usage_totals as u where u.last_used_hour is not null",
            // The indexes of an account have them all.
            Part::Expiries if self.account.is_none() => {
                " from api_tokens as t where t.expires_at is not null"
            }
            Part::NoExpiry if self.account.is_none() => {
                " from api_tokens as t where t.expires_at is null"
            }
            _ => " from api_tokens as t where true",
        });
        self.push_bounds(sql, stretch);
        self.push_order_by(sql, self.columns().into_iter());
    }

    fn push_order_by<'a>(
        &self,
        sql: &mut QueryBuilder<Postgres>,
        columns: impl Iterator<Item = &'a str>,
    ) {
        let direction = if self.is_descending { " desc" } else { "" };
        let columns: Vec<String> = columns.map(|it| format!("{it}{direction}")).collect();
        sql.push(format_args!(" order by {}", columns.join(", ")));
    }

    fn push_bounds(&self, sql: &mut QueryBuilder<Postgres>, (after, until): Stretch<'_>) {
        let (low, high) = if self.is_descending {
            (until, after)
        } else {
            (after, until)
        };
        let (above, below) = if self.is_descending {
            (">=", "<")
        } else {
            (">", "<=")
        };
        match low {
            Some(place) => self.push_bound(sql, above, &self.row(place)),
            None => self.push_bound(sql, ">=", &self.begin),
        }
        match high {
            Some(place) => self.push_bound(sql, below, &self.row(place)),
            None => self.push_bound(sql, self.end.0, &self.end.1),
        }
    }

    /// Compares as many columns as there are cells.
    fn push_bound(&self, sql: &mut QueryBuilder<Postgres>, operator: &str, cells: &[Cell]) {
        if cells.is_empty() {
            return;
        }
        let columns = self.columns();
        let columns = columns[..cells.len().min(columns.len())].join(", ");
        sql.push(format_args!(" and ({columns}) {operator} ("));
        for (number, cell) in cells.iter().enumerate() {
            if number > 0 {
                sql.push(", ");
            }
            match cell {
                Cell::Id(id) => sql.push_bind(*id),
                Cell::Text(text) => sql.push_bind(text.clone()),
                Cell::Time(time) => sql.push_bind(*time),
                Cell::Hour(hour) => sql.push_bind(hour.naive_utc()),
                Cell::Infinity => sql.push("'infinity'::timestamptz"),
            };
        }
        sql.push(")");
    }

    /// The columns of the index.
    fn columns(&self) -> Vec<&'static str> {
        let account = self.account.map(|_| "t.account_id");
        let id = if self.part == Part::Hours {
            "u.token_id"
        } else {
            "t.id"
        };
        let columns = [account, self.key(), Some(id)];
        columns.into_iter().flatten().collect()
    }

    const fn key(&self) -> Option<&'static str> {
        match self.part {
            Part::Ids | Part::NoUse => None,
            Part::Names => Some(NAME),
            Part::Expiries if self.account.is_none() => Some("t.expires_at"),
            Part::Expiries | Part::NoExpiry => Some("coalesce(t.expires_at, 'infinity')"),
            Part::Hours => Some("u.last_used_hour"),
        }
    }

    /// The place as a row of the columns.
    fn row(&self, place: &Place) -> Vec<Cell> {
        let mut id = place.id.0;
        let key = match &place.key {
            Key::Name(name) => Some(Cell::Text(name.clone())),
            Key::Hour(time) => Some(Cell::Hour(*time)),
            // The moment is no place among hours: the whole hour comes again rather than none of it.
            Key::Time(time) if self.part == Part::Hours => {
                id = if self.is_descending {
                    Uuid::max()
                } else {
                    Uuid::nil()
                };
                Some(Cell::Hour(hour(*time)))
            }
            Key::Time(time) => Some(Cell::Time(*time)),
            Key::Never if self.part == Part::NoExpiry => Some(Cell::Infinity),
            Key::Id | Key::Never => None,
        };
        let cells = [self.account.map(Cell::Id), key, Some(Cell::Id(id))];
        cells.into_iter().flatten().collect()
    }
}
