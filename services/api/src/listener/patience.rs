//! How long a connection may be silent.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Looks without a request that a connection gets before its first: 30 seconds at least. Whoever opens many
/// connections at once may take that long to ask on all of them.
const BEFORE_THE_FIRST: u32 = 6;

/// Looks without a request that a connection gets between two: 3 minutes, longer than proxies keep
/// connections that they have no use for, so that it is they who close them. An answer that takes
/// longer to be read is cut off, too.
const BETWEEN_TWO: u32 = 36;

/// The same where places are few.
const WHERE_PLACES_ARE_FEW: u32 = 1;

/// What a connection is doing, told by those who answer it.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    begun: AtomicU32,
    under_way: AtomicBool,
}

/// [`Pulse`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beat {
    begun: u32,
    under_way: bool,
}

impl Pulse {
    /// A request has arrived, its headers whole.
    pub(crate) fn begin(&self) {
        self.under_way.store(true, Ordering::Relaxed);
        // One connection has one request at a time: nobody else writes.
        let begun = self.begun.load(Ordering::Relaxed);
        self.begun.store(begun.wrapping_add(1), Ordering::Relaxed);
    }

    /// There is an answer to be sent.
    pub(crate) fn end(&self) {
        self.under_way.store(false, Ordering::Relaxed);
    }

    pub(super) fn beat(&self) -> Beat {
        Beat {
            begun: self.begun.load(Ordering::Relaxed),
            under_way: self.under_way.load(Ordering::Relaxed),
        }
    }
}

/// How long one connection has been silent.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// How many requests had begun at the last look, if there was one.
    seen: Option<u32>,
    silent: u32,
}

impl Patience {
    /// Takes one look. The first says nothing of how long there was silence before. Requests under way
    /// have time limits of their own.
    pub(super) fn is_over(&mut self, now: Beat, places_are_few: bool) -> bool {
        if now.under_way || Some(now.begun) != self.seen {
            self.seen = Some(now.begun);
            self.silent = 0;
            return false;
        }
        self.silent += 1;
        let most = match (places_are_few, now.begun) {
            (true, _) => WHERE_PLACES_ARE_FEW,
            (false, 0) => BEFORE_THE_FIRST,
            (false, _) => BETWEEN_TWO,
        };
        self.silent >= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(patience: &mut Patience, pulse: &Pulse, few: bool, looks: u32) -> Vec<bool> {
        (0..looks)
            .map(|_| patience.is_over(pulse.beat(), few))
            .collect()
    }

    #[test]
    fn who_asks_nothing_is_let_go_soon() {
        let (mut patience, pulse) = (Patience::default(), Pulse::default());
        let mut seen = looks(&mut patience, &pulse, false, BEFORE_THE_FIRST + 1);
        assert_eq!(seen.pop(), Some(true));
        assert!(seen.iter().all(|over| !over));
    }

    #[test]
    fn who_has_asked_may_be_silent_for_long_but_not_for_ever() {
        let (mut patience, pulse) = (Patience::default(), Pulse::default());
        for _ in 0..3 {
            pulse.begin();
            pulse.end();
            let mut seen = looks(&mut patience, &pulse, false, BETWEEN_TWO);
            assert!(seen.iter().all(|over| !over));
            pulse.begin();
            pulse.end();
            seen = looks(&mut patience, &pulse, false, BETWEEN_TWO + 1);
            assert_eq!(seen.pop(), Some(true));
            assert!(seen.iter().all(|over| !over));
        }
    }

    #[test]
    fn who_waits_for_an_answer_is_not_silent() {
        let (mut patience, pulse) = (Patience::default(), Pulse::default());
        pulse.begin();
        let seen = looks(&mut patience, &pulse, true, 2 * BETWEEN_TWO);
        assert!(seen.iter().all(|over| !over));
        pulse.end();
        assert_eq!(looks(&mut patience, &pulse, true, 1), [true]);
    }

    #[test]
    fn where_places_are_few_the_silent_go_first() {
        let (mut patience, pulse) = (Patience::default(), Pulse::default());
        pulse.begin();
        pulse.end();
        assert_eq!(looks(&mut patience, &pulse, true, 2), [false, true]);
        // Who asks between two looks stays.
        let (mut patience, pulse) = (Patience::default(), Pulse::default());
        for _ in 0..10 {
            pulse.begin();
            pulse.end();
            assert_eq!(looks(&mut patience, &pulse, true, 1), [false]);
        }
    }
}
