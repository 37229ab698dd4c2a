//! Which nodes there are, and which of them this one hears: what its share of every limit follows from.

use std::collections::HashMap;
use std::time::Duration;

use uuid::Uuid;

use super::super::Share;

/// A node that says nothing for so long is not heard. Each says something every second.
pub(super) const SILENT: Duration = Duration::from_secs(3);

/// A node that goes without a word may be on the other side of a cut, where it goes on. It counts as
/// there for so long.
const GONE: Duration = Duration::from_secs(60);

/// The most nodes that are told apart.
const MOST: usize = 64;

/// The other nodes. Times are those since boot.
#[derive(Debug, Default)]
pub(super) struct Peers {
    heard: HashMap<Uuid, Duration>,
    /// When a message of its own last came back: as long as they do, the broker is there.
    echo: Option<Duration>,
    /// Since when they do without a break.
    since: Duration,
}

impl Peers {
    /// Something of its own came back.
    pub(super) fn echo(&mut self, now: Duration) {
        if !self.is_connected(now) {
            self.since = now;
        }
        self.echo = Some(now);
    }

    /// Another node said something. False if there are more than can be told apart.
    pub(super) fn heard(&mut self, node: Uuid, now: Duration) -> bool {
        if self.heard.len() >= MOST - 1 && !self.heard.contains_key(&node) {
            return false;
        }
        self.heard.insert(node, now);
        true
    }

    /// Another node took leave.
    pub(super) fn left(&mut self, node: Uuid) {
        self.heard.remove(&node);
    }

    /// The connection broke.
    pub(super) fn cut(&mut self) {
        self.echo = None;
    }

    fn is_connected(&self, now: Duration) -> bool {
        self.echo
            .is_some_and(|echo| now.saturating_sub(echo) <= SILENT)
    }

    /// This node's share now. Alone with the broker gone, it has that of one among all that it last
    /// knew of; of those that it hears, each has that of all of them together.
    pub(super) fn share(&mut self, now: Duration) -> Share {
        let connected = self.is_connected(now);
        if connected {
            // While it heard nothing itself, nobody's silence meant anything.
            let since = self.since;
            self.heard
                .retain(|_, heard| now.saturating_sub(since.max(*heard)) <= GONE);
        }
        let silent = |heard: &Duration| now.saturating_sub(*heard) > SILENT;
        let together = match connected {
            true => self.heard.values().filter(|heard| !silent(heard)).count(),
            false => 0,
        };
        let count = |others: usize| u32::try_from(others + 1).unwrap_or(u32::MAX);
        Share {
            together: count(together),
            of: count(self.heard.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(1_000 + seconds)
    }

    fn node(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn share(peers: &mut Peers, seconds: u64) -> (u32, u32) {
        let share = peers.share(at(seconds));
        (share.together, share.of)
    }

    #[test]
    fn alone_it_has_all() {
        let mut peers = Peers::default();
        assert_eq!(share(&mut peers, 0), (1, 1));
        peers.echo(at(1));
        assert_eq!(share(&mut peers, 1), (1, 1));
    }

    #[test]
    fn cut_off_it_has_one_share_of_those_it_knew_and_then_all_again() {
        let mut peers = Peers::default();
        peers.echo(at(0));
        assert!(peers.heard(node(1), at(0)) && peers.heard(node(2), at(0)));
        assert_eq!(share(&mut peers, 0), (3, 3));
        // Nothing comes back any more, however long.
        assert_eq!(share(&mut peers, 4), (1, 3));
        assert_eq!(share(&mut peers, 4_000), (1, 3));
        // The broker is back, and the others are heard of one after the other.
        peers.echo(at(4_001));
        assert_eq!(share(&mut peers, 4_001), (1, 3));
        peers.heard(node(1), at(4_002));
        assert_eq!(share(&mut peers, 4_002), (2, 3));
        peers.heard(node(2), at(4_002));
        assert_eq!(share(&mut peers, 4_002), (3, 3));
        // The client says it sooner.
        peers.cut();
        assert_eq!(share(&mut peers, 4_002), (1, 3));
    }

    #[test]
    fn who_goes_without_a_word_is_counted_for_a_while_and_who_takes_leave_is_not() {
        let mut peers = Peers::default();
        for number in 1..=3 {
            peers.heard(node(number), at(0));
        }
        peers.echo(at(0));
        peers.left(node(3));
        peers.left(node(4));
        assert_eq!(share(&mut peers, 0), (3, 3));
        for second in 1..=70 {
            peers.echo(at(second));
            peers.heard(node(1), at(second));
            let expected = match second {
                0..=3 => (3, 3),
                4..=60 => (2, 3),
                _ => (2, 2),
            };
            assert_eq!(share(&mut peers, second), expected, "after {second} s");
        }
    }

    #[test]
    fn made_up_nodes_make_the_share_smaller_and_not_without_end() {
        let mut peers = Peers::default();
        peers.echo(at(0));
        let told = (0..1_000).filter(|number| peers.heard(node(*number), at(0)));
        assert_eq!(told.count(), 63);
        assert!(peers.heard(node(0), at(1)), "who is known is heard");
        assert_eq!(share(&mut peers, 1), (64, 64));
        peers.echo(at(5));
        assert_eq!(share(&mut peers, 5), (1, 64));
    }
}
