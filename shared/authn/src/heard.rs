//! How soon this node heeds what ends or suspends: told to the metrics, once for each event, by the
//! way on which it was first heard of.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use tollkeeper_telemetry::verification::REVOCATION_APPLIED;

use crate::feed::{Change, Effect, FeedEvent};

/// The most events that are remembered to have been heard of ahead of the log. Whoever sends
/// messages of events that there are not fills it, and then those ahead are not told of.
const MOST_AHEAD: usize = 4096;

/// How an event was heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Commit,
    Message,
    Log,
}

impl Way {
    fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Message => "message",
            Self::Log => "log",
        }
    }
}

/// Positions that were heard of ahead of the log.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    ahead: Mutex<BTreeSet<u64>>,
}

impl Heard {
    /// Tells of `event`, heard of at `now` (in microseconds since the Unix epoch) by a node that has
    /// applied the log up to `applied` before.
    pub(crate) fn tell(&self, event: &FeedEvent, way: Way, applied: u64, now: i64) {
        let Some(recorded_at) = event.recorded_at_micros.filter(|_| tightens(event)) else {
            return;
        };
        if self.is_first(event.position, way, applied) {
            // The two clocks need not agree.
            let micros = now.saturating_sub(recorded_at).max(0);
            REVOCATION_APPLIED
                .with(way.as_str())
                .record(micros as f64 / 1e6);
        }
    }

    fn is_first(&self, position: u64, way: Way, applied: u64) -> bool {
        let mut ahead = self.ahead.lock();
        if way == Way::Log {
            let later = ahead.split_off(&position.saturating_add(1));
            let earlier = std::mem::replace(&mut *ahead, later);
            return !earlier.contains(&position);
        }
        position > applied && ahead.len() < MOST_AHEAD && ahead.insert(position)
    }
}

/// Whether the event denies by itself.
fn tightens(event: &FeedEvent) -> bool {
    match &event.change {
        Change::Token { effect, .. } | Change::Account { effect, .. } => {
            matches!(effect, Effect::Ended | Effect::Suspended)
        }
        Change::Unrelated => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_told_of_once_by_the_way_that_came_first() {
        let heard = Heard::default();
        assert!(heard.is_first(5, Way::Message, 3));
        assert!(!heard.is_first(5, Way::Message, 3));
        assert!(!heard.is_first(5, Way::Commit, 3));
        assert!(heard.is_first(4, Way::Log, 3));
        assert!(!heard.is_first(5, Way::Log, 4));
        assert!(heard.is_first(6, Way::Log, 5));
        // Late messages tell nothing new.
        assert!(!heard.is_first(6, Way::Message, 6));
        assert!(heard.ahead.lock().is_empty());
    }

    #[test]
    fn made_up_messages_take_no_memory_and_leave_the_log_to_tell() {
        let heard = Heard::default();
        for position in 0..3 * MOST_AHEAD as u64 {
            heard.is_first(1_000_000 + position, Way::Message, 0);
        }
        assert_eq!(heard.ahead.lock().len(), MOST_AHEAD);
        assert!(heard.is_first(1, Way::Log, 0));
    }
}
