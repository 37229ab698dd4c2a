//! When to tell that a token's expiry is near.

use chrono::TimeDelta;

/// How many days ahead of its expiry a token is told of, each once.
pub const EXPIRY_NOTICES: [u16; 3] = [30, 7, 1];

/// The notice that is due when `left` remains: the smallest number of days that covers it.
#[must_use]
pub fn notice_at(left: TimeDelta) -> Option<u16> {
    let covers = |days: &u16| left <= TimeDelta::days(i64::from(*days));
    EXPIRY_NOTICES.into_iter().filter(covers).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_notice_is_due() {
        let hours = |hours| notice_at(TimeDelta::hours(hours));
        assert_eq!(hours(30 * 24 + 1), None);
        assert_eq!(hours(30 * 24), Some(30));
        assert_eq!(hours(7 * 24 + 1), Some(30));
        assert_eq!(hours(7 * 24), Some(7));
        assert_eq!(hours(24), Some(1));
        assert_eq!(hours(0), Some(1));
    }
}
