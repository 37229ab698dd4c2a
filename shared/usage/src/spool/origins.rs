//! Which events came from requests whose traces are recorded, until the batch that they are in is sent:
//! its span links to theirs.
//!
//! Kept in memory alone, and only so many: what is lost of it costs a link and no event.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tollkeeper_telemetry::trace::SpanContext;
use uuid::Uuid;

/// The most events that are remembered. While the broker is away, more may wait in the spool.
const MOST: usize = 4096;

/// Where an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The source: one spool lane of one run.
    pub source: Uuid,
    /// The event's number among those of the source.
    pub number: u64,
}

/// The spans that events came from, by where the events stand.
#[derive(Debug, Default)]
pub struct Origins(Mutex<BTreeMap<Place, SpanContext>>);

impl Origins {
    /// Remembers which span an event came from, if there is room.
    pub fn note(&self, place: Place, span: SpanContext) {
        let mut origins = self.0.lock();
        if origins.len() < MOST {
            origins.insert(place, span);
        }
    }

    /// The spans of the events from `first` to `last` of a source. They are forgotten: so is what was
    /// noted before `first`, too late for the batch that it was in.
    pub(crate) fn take(&self, source: Uuid, first: u64, last: u64) -> Vec<SpanContext> {
        let place = |number| Place { source, number };
        let mut origins = self.0.lock();
        let mut rest = origins.split_off(&place(0));
        let mut others = rest.split_off(&place(last.saturating_add(1)));
        origins.append(&mut others);
        rest.split_off(&place(first)).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_takes_the_spans_of_its_own_events() {
        let origins = Origins::default();
        let span = || SpanContext::NONE;
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for (source, number) in [(one, 1), (one, 7), (one, 8), (two, 3)] {
            origins.note(Place { source, number }, span());
        }
        assert_eq!(origins.take(one, 2, 7).len(), 1);
        assert_eq!(origins.take(one, 1, 7).len(), 0);
        assert_eq!(origins.take(two, 1, 9).len(), 1);
        assert_eq!(origins.take(one, 8, u64::MAX).len(), 1);
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let origins = Origins::default();
        let source = Uuid::from_u128(1);
        for number in 1..=MOST as u64 + 5 {
            origins.note(Place { source, number }, SpanContext::NONE);
        }
        assert_eq!(origins.take(source, 1, u64::MAX).len(), MOST);
    }
}
