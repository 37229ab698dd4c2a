//! The orders of the list, and where a page of each begins.

use chrono::{DateTime, Datelike, Utc};
use serde::Deserialize;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_read_model::tokens::{Key, Place, Sort, SortBy, Sorted};
use utoipa::ToSchema;
use uuid::Uuid;

use super::filter::BadFilter;
use crate::http::cursor;
use crate::http::page::{self, TOKENS};
use crate::http::problem::Problem;

/// What a place was sorted by, in a cursor.
const NEVER: u8 = 0;
const TIME: u8 = 1;
const HOUR: u8 = 2;

/// By what the tokens of the list are sorted; with `-`, from the last to the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[schema(as = TokenOrder)]
pub(super) enum Order {
    /// From the newest to the oldest.
    #[default]
    #[serde(rename = "-created_at")]
    Newest,
    /// From the oldest to the newest.
    #[serde(rename = "created_at")]
    Oldest,
    /// By name, whatever the case.
    #[serde(rename = "name")]
    Name,
    /// By name, from the end.
    #[serde(rename = "-name")]
    NameFromEnd,
    /// What expires first comes first.
    #[serde(rename = "expires_at")]
    ExpiresFirst,
    /// What expires last comes first.
    #[serde(rename = "-expires_at")]
    ExpiresLast,
    /// What was not used for the longest comes first.
    #[serde(rename = "last_used_at")]
    UsedFirst,
    /// What was used last comes first.
    #[serde(rename = "-last_used_at")]
    UsedLast,
}

impl Order {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "-created_at",
            Self::Oldest => "created_at",
            Self::Name => "name",
            Self::NameFromEnd => "-name",
            Self::ExpiresFirst => "expires_at",
            Self::ExpiresLast => "-expires_at",
            Self::UsedFirst => "last_used_at",
            Self::UsedLast => "-last_used_at",
        }
    }

    const fn sort(self) -> Sort {
        let (by, is_descending) = match self {
            Self::Newest => (SortBy::Created, true),
            Self::Oldest => (SortBy::Created, false),
            Self::Name => (SortBy::Name, false),
            Self::NameFromEnd => (SortBy::Name, true),
            Self::ExpiresFirst => (SortBy::Expires, false),
            Self::ExpiresLast => (SortBy::Expires, true),
            Self::UsedFirst => (SortBy::LastUsed, false),
            Self::UsedLast => (SortBy::LastUsed, true),
        };
        Sort { by, is_descending }
    }

    /// What is to be said of it where the past is asked for, which has one order alone.
    pub(super) fn is_of_today(self) -> Option<BadFilter> {
        (self != Self::default()).then_some(BadFilter {
            name: "sort",
            why: "is `-created_at` where `as_of` is given",
        })
    }

    /// This part of the list.
    pub(super) const fn asked(self, after: Option<Place>, limit: usize) -> Sorted {
        Sorted {
            sort: self.sort(),
            after,
            limit,
        }
    }

    /// The cursor to what follows on the place, of this order alone.
    pub(super) fn cursor(self, place: &Place) -> String {
        let mut bytes = place.id.0.as_bytes().to_vec();
        match &place.key {
            Key::Id => {}
            Key::Name(name) => bytes.extend(name.as_bytes()),
            Key::Time(time) => push_time(&mut bytes, TIME, *time),
            Key::Hour(time) => push_time(&mut bytes, HOUR, *time),
            Key::Never => bytes.push(NEVER),
        }
        cursor::write(&self.list(), bytes)
    }

    /// The place that the page begins behind.
    ///
    /// # Errors
    /// 400 for what is no cursor of this order.
    pub(super) fn place(self, text: Option<&str>) -> Result<Option<Place>, Problem> {
        let read = |text| cursor::read(&self.list(), text, |bytes| self.parse(bytes));
        text.map(read).transpose().map_err(|_| self.refused())
    }

    /// The token that the page of the newest begins before.
    ///
    /// # Errors
    /// 400 for what is no cursor of that list.
    pub(super) fn newest_before(self, text: Option<&str>) -> Result<Option<TokenId>, Problem> {
        let id = page::cursor(&TOKENS, text).map_err(|_| self.refused())?;
        Ok(id.map(Into::into))
    }

    fn refused(self) -> Problem {
        let order = self.as_str();
        let detail = format!("`cursor` is none of this list sorted by `{order}`");
        Problem::bad_request("INVALID_QUERY", detail)
    }

    const fn list(self) -> [&'static [u8]; 2] {
        [b"tokens by ", self.as_str().as_bytes()]
    }

    fn parse(self, bytes: &[u8]) -> Option<Place> {
        let (id, key) = bytes.split_first_chunk::<16>()?;
        let by = self.sort().by;
        let key = match by {
            SortBy::Created => key.is_empty().then_some(Key::Id)?,
            SortBy::Name => {
                let name = std::str::from_utf8(key).ok()?;
                // A name is never empty, and PostgreSQL takes no null in a text.
                let name = Some(name).filter(|name| !name.is_empty() && !name.contains('\0'))?;
                Key::Name(name.to_owned())
            }
            SortBy::Expires | SortBy::LastUsed => parse_time(key)?,
        };
        let id = TokenId(Uuid::from_bytes(*id));
        by.has(&key).then_some(Place { key, id })
    }
}

fn push_time(bytes: &mut Vec<u8>, kind: u8, time: DateTime<Utc>) {
    bytes.push(kind);
    bytes.extend(time.timestamp_micros().to_be_bytes());
}

fn parse_time(key: &[u8]) -> Option<Key> {
    let (kind, time) = key.split_first()?;
    if *kind == NEVER {
        return time.is_empty().then_some(Key::Never);
    }
    let micros = i64::from_be_bytes(time.try_into().ok()?);
    let time = DateTime::from_timestamp_micros(micros)?;
    let time = Some(time).filter(|time| (1..=9999).contains(&time.year()))?;
    match *kind {
        TIME => Some(Key::Time(time)),
        HOUR => Some(Key::Hour(time)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Order; 8] = [
        Order::Newest,
        Order::Oldest,
        Order::Name,
        Order::NameFromEnd,
        Order::ExpiresFirst,
        Order::ExpiresLast,
        Order::UsedFirst,
        Order::UsedLast,
    ];

    fn place() -> impl Strategy<Value = Place> {
        let time = (0..253_402_300_799_999_999_i64)
            .prop_map(|micros| DateTime::from_timestamp_micros(micros).unwrap());
        let key = prop_oneof![
            Just(Key::Id),
            Just(Key::Never),
            "[^\\x00]{1,100}".prop_map(Key::Name),
            time.clone().prop_map(Key::Time),
            time.prop_map(Key::Hour),
        ];
        (key, any::<u128>()).prop_map(|(key, id)| Place {
            key,
            id: TokenId(Uuid::from_u128(id)),
        })
    }

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_place_in_its_order_alone(
            place in place(),
            order in any::<proptest::sample::Index>(),
            place_of_damage in any::<proptest::sample::Index>(),
        ) {
            let fitting: Vec<Order> = ALL
                .into_iter()
                .filter(|order| order.sort().by.has(&place.key))
                .collect();
            let order = fitting[order.index(fitting.len())];
            let text = order.cursor(&place);
            for other in ALL {
                let found = other.place(Some(&text)).ok().flatten();
                prop_assert_eq!(found, (other == order).then(|| place.clone()));
            }
            let damaged = place_of_damage.index(text.len());
            let letter = if text.as_bytes()[damaged] == b'A' { "B" } else { "A" };
            let mut damage = text;
            damage.replace_range(damaged..=damaged, letter);
            prop_assert!(order.place(Some(&damage)).is_err());
        }

        #[test]
        fn the_list_from_the_newest_on_knows_no_cursor_of_an_order(place in place()) {
            let text = Order::Oldest.cursor(&place);
            prop_assert!(Order::Newest.newest_before(Some(&text)).is_err());
            let newest = page::next_cursor(&TOKENS, Some(place.id.0)).unwrap();
            prop_assert_eq!(Order::Newest.newest_before(Some(&newest)).unwrap(), Some(place.id));
            prop_assert!(Order::Oldest.place(Some(&newest)).is_err());
        }
    }

    #[test]
    fn a_place_that_no_page_ends_at_is_none() {
        let at = |order: Order, key: &[u8]| {
            let bytes = [Uuid::nil().as_bytes().as_slice(), key].concat();
            let text = cursor::write(&order.list(), bytes);
            order.place(Some(&text)).is_ok()
        };
        assert!(at(Order::Name, b"a"));
        assert!(!at(Order::Name, b"a\0"));
        assert!(!at(Order::Name, b"\xff"));
        assert!(!at(Order::Oldest, b"a"));
        let time = |micros: i64| [&[TIME], micros.to_be_bytes().as_slice()].concat();
        assert!(at(Order::UsedFirst, &time(0)));
        assert!(!at(Order::UsedFirst, &time(i64::MAX)));
        assert!(!at(Order::UsedFirst, &[TIME]));
        assert!(!at(Order::ExpiresFirst, &[HOUR, 0, 0, 0, 0, 0, 0, 0, 0]));
        assert!(!at(Order::ExpiresFirst, &[NEVER, 0]));
        assert!(!at(Order::ExpiresFirst, &[]));
        assert!(Order::Name.place(Some("")).is_err());
        assert!(Order::Name.place(Some("AAAA")).is_err());
    }

    #[derive(Deserialize)]
    struct Query {
        sort: Order,
    }

    #[test]
    fn an_order_is_written_as_it_is_read() {
        for order in ALL {
            let query = format!("sort={}", order.as_str());
            let read: Query = serde_html_form::from_str(&query).unwrap();
            assert_eq!(read.sort, order);
        }
    }
}
