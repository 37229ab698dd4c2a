//! Where the audit log goes on. Opaque to clients.

use chrono::{DateTime, Datelike};
use tollkeeper_read_model::audit::{Place, Source};

use crate::http::cursor;
use crate::http::problem::Problem;

const LIST: [&[u8]; 1] = [b"audit log"];

/// Moment, part and number.
pub(super) fn write(place: &Place) -> String {
    let mut bytes = place.at.timestamp_micros().to_be_bytes().to_vec();
    bytes.push(place.source as u8);
    bytes.extend(place.number.to_be_bytes());
    cursor::write(&LIST, bytes)
}

/// The place that a cursor of this list leads to.
pub(super) fn read(text: &str) -> Result<Place, Problem> {
    cursor::read(&LIST, text, parse)
}

fn parse(place: &[u8]) -> Option<Place> {
    let (at, rest) = place.split_first_chunk::<8>()?;
    let (source, number) = rest.split_first()?;
    let at = DateTime::from_timestamp_micros(i64::from_be_bytes(*at))?;
    let number = i64::from_be_bytes(number.try_into().ok()?);
    let place = Place {
        at,
        source: Source::from_number(i16::from(*source))?,
        number,
    };
    ((1970..=9999).contains(&at.year()) && number > 0).then_some(place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_place(
            micros in 0..253_402_300_799_999_999_i64,
            source in 0..3_i16,
            number in 1..i64::MAX,
            damaged in 0..28_usize,
        ) {
            let at = DateTime::from_timestamp_micros(micros).unwrap();
            let source = Source::from_number(source).unwrap();
            let place = Place { at, source, number };
            let text = write(&place);
            prop_assert_eq!(text.len(), 28);
            prop_assert_eq!(read(&text).ok(), Some(place));
            let other = if text.as_bytes()[damaged] == b'A' { "B" } else { "A" };
            let mut damage = text.clone();
            damage.replace_range(damaged..=damaged, other);
            prop_assert_eq!(read(&damage).ok(), None);
        }
    }

    #[test]
    fn a_place_that_no_page_ends_at_is_none() {
        let place = |micros, number| Place {
            at: DateTime::from_timestamp_micros(micros).unwrap(),
            source: Source::Entry,
            number,
        };
        for wrong in [place(0, 0), place(-1, 1), place(253_402_300_800_000_000, 1)] {
            assert_eq!(read(&write(&wrong)).ok(), None, "{wrong:?}");
        }
        assert_eq!(read("").ok(), None);
    }
}
