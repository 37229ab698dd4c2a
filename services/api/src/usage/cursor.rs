//! Where a list of single requests goes on. Opaque to clients.

use chrono::{DateTime, Datelike};
use tollkeeper_domain::ids::TokenId;
use tollkeeper_read_model::usage::Place;

use crate::http::cursor;
use crate::http::problem::Problem;

/// The digest of a row.
const DIGEST: usize = 32;

/// How many alike rows a cursor may lead beyond: more than a token is used in a microsecond.
const MOST_ALIKE: i64 = 1_000_000_000;

/// Moment, digest and number.
pub(super) fn write(token: TokenId, place: &Place) -> String {
    let mut bytes = place.at.timestamp_micros().to_be_bytes().to_vec();
    bytes.extend(&place.digest);
    bytes.extend(place.shown.to_be_bytes());
    cursor::write(&list(&token), bytes)
}

/// The place that a cursor of this token's list leads to.
pub(super) fn read(token: TokenId, text: &str) -> Result<Place, Problem> {
    cursor::read(&list(&token), text, parse)
}

fn list(token: &TokenId) -> [&[u8]; 2] {
    [b"usage requests", token.0.as_bytes()]
}

fn parse(place: &[u8]) -> Option<Place> {
    let (at, rest) = place.split_first_chunk::<8>()?;
    let (digest, shown) = rest.split_last_chunk::<8>()?;
    let at = DateTime::from_timestamp_micros(i64::from_be_bytes(*at))?;
    let shown = i64::from_be_bytes(*shown);
    let sound = digest.len() == DIGEST
        && (1..=MOST_ALIKE).contains(&shown)
        && (1970..=9999).contains(&at.year());
    sound.then(|| Place {
        at,
        digest: digest.to_vec(),
        shown,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_place_in_its_list_alone(
            token in 1..u128::MAX,
            micros in 0..253_402_300_799_999_999_i64,
            digest in prop::collection::vec(any::<u8>(), DIGEST),
            shown in 1..=MOST_ALIKE,
            damaged in 0..70_usize,
        ) {
            let at = DateTime::from_timestamp_micros(micros).unwrap();
            let place = Place { at, digest, shown };
            let token = TokenId(Uuid::from_u128(token));
            let text = write(token, &place);
            prop_assert_eq!(text.len(), 70);
            prop_assert_eq!(read(token, &text).ok(), Some(place));
            prop_assert_eq!(read(TokenId(Uuid::nil()), &text).ok(), None);
            let other = if text.as_bytes()[damaged] == b'A' { "B" } else { "A" };
            let mut damage = text.clone();
            damage.replace_range(damaged..=damaged, other);
            prop_assert_eq!(read(token, &damage).ok(), None);
        }
    }

    #[test]
    fn a_place_that_no_page_ends_at_is_none() {
        let token = TokenId(Uuid::nil());
        let place = |at, shown| Place {
            at: DateTime::from_timestamp_micros(at).unwrap(),
            digest: vec![0; DIGEST],
            shown,
        };
        for wrong in [
            place(0, 0),
            place(0, -1),
            place(0, MOST_ALIKE + 1),
            place(-1, 1),
        ] {
            assert_eq!(read(token, &write(token, &wrong)).ok(), None, "{wrong:?}");
        }
        assert_eq!(read(token, "").ok(), None);
    }
}
