//! Cursors as clients see them: opaque, and of one list alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::http::problem::Problem;

/// A place in a list, with a checksum that finds what was damaged or comes from another list. The parts
/// of `list` name it.
pub(crate) fn write(list: &[&[u8]], mut place: Vec<u8>) -> String {
    let sum = sum(list, &place);
    place.extend(sum);
    URL_SAFE_NO_PAD.encode(place)
}

/// The place that a cursor of this list leads to, taken apart by `parse`.
///
/// # Errors
/// 400 for what is none.
pub(crate) fn read<T>(
    list: &[&[u8]],
    text: &str,
    parse: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<T, Problem> {
    let bad = || Problem::bad_request("INVALID_QUERY", "`cursor` is none of this list");
    open(list, text)
        .and_then(|place| parse(&place))
        .ok_or_else(bad)
}

fn open(list: &[&[u8]], text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (place, found) = bytes.split_last_chunk::<4>()?;
    (sum(list, place) == *found).then(|| place.to_vec())
}

fn sum(list: &[&[u8]], place: &[u8]) -> [u8; 4] {
    let mut digest = Sha256::new();
    list.iter().for_each(|part| digest.update(part));
    let sum = digest.chain_update(place).finalize();
    [sum[0], sum[1], sum[2], sum[3]]
}
