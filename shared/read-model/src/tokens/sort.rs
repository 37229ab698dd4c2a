//! The orders that a list of tokens can have, and places in them.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use tollkeeper_domain::ids::TokenId;

use super::TokenRow;

/// By what tokens are sorted. Those that are alike in it are sorted by their ids, in the same direction;
/// those that have none of it come last, in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// When they were issued, as their ids tell.
    Created,
    /// What they are called, whatever the case: by the code points of the lower-case name.
    Name,
    /// When they expire.
    Expires,
    /// When they were last let through; among many tokens, the hour of it.
    LastUsed,
}

impl SortBy {
    /// Whether a list in this order has places of this kind.
    #[must_use]
    pub const fn has(self, key: &Key) -> bool {
        match self {
            Self::Created => matches!(key, Key::Id),
            Self::Name => matches!(key, Key::Name(_)),
            Self::Expires => matches!(key, Key::Time(_) | Key::Never),
            Self::LastUsed => matches!(key, Key::Time(_) | Key::Hour(_) | Key::Never),
        }
    }
}

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: SortBy,
    /// Whether the last comes first.
    pub is_descending: bool,
}

/// What a token is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Its id alone.
    Id,
    /// Its name in lower case.
    Name(String),
    /// When it expires, or when it was last used.
    Time(DateTime<Utc>),
    /// The beginning of the hour in which it was last used.
    Hour(DateTime<Utc>),
    /// It never expires, or was never used.
    Never,
}

/// A place in a list: right behind a token, whether or not it is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What the token was sorted by.
    pub key: Key,
    /// Which it was.
    pub id: TokenId,
}

/// Which part of which list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sorted {
    /// The order of the list.
    pub sort: Sort,
    /// Only what comes behind this.
    pub after: Option<Place>,
    /// At most this many.
    pub limit: usize,
}

/// A token, and how the database writes its name to sort by it.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(super) struct SortedRow {
    #[sqlx(flatten)]
    pub(super) row: TokenRow,
    pub(super) name_key: String,
}

impl SortedRow {
    /// The place behind it, in a list that tells last uses apart by the moment or by the hour.
    pub(super) fn place(&self, by: SortBy, is_by_hour: bool) -> Place {
        let never = |time: Option<DateTime<Utc>>| time.map_or(Key::Never, Key::Time);
        let key = match by {
            SortBy::Created => Key::Id,
            SortBy::Name => Key::Name(self.name_key.clone()),
            SortBy::Expires => never(self.row.expires_at),
            SortBy::LastUsed if is_by_hour => self
                .row
                .last_used_at
                .map_or(Key::Never, |at| Key::Hour(hour(at))),
            SortBy::LastUsed => never(self.row.last_used_at),
        };
        Place {
            key,
            id: self.row.id.into(),
        }
    }
}

/// The beginning of its hour.
pub(super) fn hour(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::hours(1)).unwrap_or(time)
}
