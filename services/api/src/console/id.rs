//! Ids as pages show them: their end, which tells most, with the whole of it at hand.

use std::fmt::Display;

/// As many characters as people compare.
const SHOWN: usize = 8;

/// An id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Id(String);

impl Id {
    /// Of this id.
    pub(super) fn new(id: impl Display) -> Self {
        Self(id.to_string())
    }

    /// All of it.
    pub(super) fn whole(&self) -> &str {
        &self.0
    }

    /// Its end.
    pub(super) fn end(&self) -> &str {
        let from = self.0.char_indices().rev().nth(SHOWN - 1);
        &self.0[from.map_or(0, |(at, _)| at)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_by_its_end() {
        let id = Id::new("019aa5d0-1f2e-7a10-9c3b-5d6e7f809101");
        assert_eq!(id.end(), "7f809101");
        assert_eq!(Id::new("17").end(), "17");
        assert_eq!(Id::new("äöüäöüäöüä").end(), "üäöüäöüä");
    }
}
