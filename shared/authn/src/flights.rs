//! Reads of digests that are wanted or under way: one per digest, whoever asks for it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tollkeeper_domain::secret::SecretHash;

use crate::entry::TokenEntry;
use crate::time::Moment;

/// How often a digest is read again because of what was heard meanwhile, before its callers are told
/// that it cannot be known now.
const MOST_READS: u8 = 8;

/// The part of the queue's room that is kept for digests that memory holds in doubt: made-up ones must
/// not keep a token from being read that is known to have changed.
const KEPT_FOR_DOUBTFUL: usize = 8;

/// A read that somebody wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) digest: SecretHash,
    /// Only one that has yet to begin will do.
    pub(crate) fresh: bool,
    /// Memory holds it, in doubt.
    pub(crate) doubtful: bool,
}

/// What a read came to.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// This token, as of the moment the read was sent.
    Token(Arc<TokenEntry>, Moment),
    /// No token, as of the moment the read was sent.
    NoToken(Moment),
    /// It could not be read.
    Failed,
}

/// No room for one more digest, or the engine has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// Where a caller hears what its read came to.
pub(crate) type Joined = Result<oneshot::Receiver<Outcome>, Refused>;

type Caller = oneshot::Sender<Outcome>;

#[derive(Debug, Default)]
struct Flight {
    under_way: bool,
    doubtful: bool,
    reads: u8,
    callers: Vec<Caller>,
    /// Those who came while it was under way and want a read that begins after they came.
    later: Vec<Caller>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Those that memory holds in doubt, and those that it does not hold. They are taken in turn, so
    /// that neither waits for all of the others.
    doubtful: VecDeque<SecretHash>,
    unread: VecDeque<SecretHash>,
    flights: HashMap<SecretHash, Flight>,
    closed: bool,
}

impl Queue {
    fn join(&mut self, wanted: Wanted, capacity: usize) -> Joined {
        let Wanted {
            digest,
            fresh,
            doubtful,
        } = wanted;
        let (caller, answer) = oneshot::channel();
        if self.closed {
            return Err(Refused);
        }
        if let Some(flight) = self.flights.get_mut(&digest) {
            if fresh && flight.under_way {
                flight.later.push(caller);
            } else {
                flight.callers.push(caller);
            }
            return Ok(answer);
        }
        let kept = if doubtful {
            capacity / KEPT_FOR_DOUBTFUL
        } else {
            0
        };
        if self.flights.len() >= capacity + kept {
            return Err(Refused);
        }
        self.flights.insert(
            digest,
            Flight {
                doubtful,
                callers: vec![caller],
                ..Flight::default()
            },
        );
        self.wait(digest, doubtful);
        Ok(answer)
    }

    fn wait(&mut self, digest: SecretHash, doubtful: bool) {
        if doubtful {
            self.doubtful.push_back(digest);
        } else {
            self.unread.push_back(digest);
        }
    }

    /// The next of the one kind or the other, and of the other if there is none.
    fn next(&mut self, doubtful: bool) -> Option<SecretHash> {
        let (first, second) = if doubtful {
            (&mut self.doubtful, &mut self.unread)
        } else {
            (&mut self.unread, &mut self.doubtful)
        };
        first.pop_front().or_else(|| second.pop_front())
    }
}

#[derive(Debug)]
pub(crate) struct Flights {
    queue: Mutex<Queue>,
    wanted: Notify,
    capacity: usize,
}

impl Flights {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            queue: Mutex::default(),
            wanted: Notify::new(),
            capacity,
        }
    }

    /// Asks for a read, or joins one.
    pub(crate) fn join(&self, wanted: Wanted) -> Joined {
        let joined = self.queue.lock().join(wanted, self.capacity);
        self.wanted.notify_one();
        joined
    }

    /// As [`Flights::join`] for several, which are then taken together: nobody is told of the first
    /// before the last is there.
    pub(crate) fn join_all(&self, wanted: impl IntoIterator<Item = Wanted>) -> Vec<Joined> {
        let mut queue = self.queue.lock();
        let joined = wanted
            .into_iter()
            .map(|wanted| queue.join(wanted, self.capacity))
            .collect();
        drop(queue);
        self.wanted.notify_one();
        joined
    }

    /// Takes up to `most` digests to be read now, each with how often it was read before. Those
    /// that nobody waits for any more are dropped.
    pub(crate) fn take(&self, most: usize) -> Vec<(SecretHash, u8)> {
        let mut taken = Vec::new();
        let mut queue = self.queue.lock();
        while taken.len() < most {
            let Some(digest) = queue.next(taken.len() % 2 == 0) else {
                break;
            };
            let Some(flight) = queue.flights.get_mut(&digest) else {
                continue;
            };
            flight.callers.retain(|caller| !caller.is_closed());
            if flight.callers.is_empty() {
                queue.flights.remove(&digest);
                continue;
            }
            flight.under_way = true;
            taken.push((digest, flight.reads));
        }
        let more = !(queue.doubtful.is_empty() && queue.unread.is_empty());
        drop(queue);
        if more {
            self.wanted.notify_one();
        }
        taken
    }

    /// Waits until there may be something to take.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Hands an outcome to those who wait for it.
    pub(crate) fn land(&self, digest: SecretHash, outcome: &Outcome) {
        let mut queue = self.queue.lock();
        let Some(flight) = queue.flights.remove(&digest) else {
            return;
        };
        if !flight.later.is_empty() {
            queue.flights.insert(
                digest,
                Flight {
                    doubtful: flight.doubtful,
                    callers: flight.later,
                    ..Flight::default()
                },
            );
            queue.wait(digest, flight.doubtful);
            self.wanted.notify_one();
        }
        drop(queue);
        for caller in flight.callers {
            // A caller that has given up needs no answer.
            let _ = caller.send(outcome.clone());
        }
    }

    /// Has a digest read once more, or gives it up after too many times.
    pub(crate) fn again(&self, digest: SecretHash) {
        let mut queue = self.queue.lock();
        let Some(flight) = queue.flights.get_mut(&digest) else {
            return;
        };
        flight.reads += 1;
        if flight.reads >= MOST_READS {
            drop(queue);
            self.land(digest, &Outcome::Failed);
            return;
        }
        flight.under_way = false;
        let later = std::mem::take(&mut flight.later);
        flight.callers.extend(later);
        let doubtful = flight.doubtful;
        queue.wait(digest, doubtful);
        drop(queue);
        self.wanted.notify_one();
    }

    /// Refuses everything from now on and lets all callers go.
    pub(crate) fn close(&self) {
        let closed = Queue {
            closed: true,
            ..Queue::default()
        };
        let open = std::mem::replace(&mut *self.queue.lock(), closed);
        drop(open);
    }

    /// Callers waiting now.
    pub(crate) fn callers(&self) -> usize {
        let queue = self.queue.lock();
        let flights = queue.flights.values();
        flights
            .map(|flight| flight.callers.len() + flight.later.len())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> SecretHash {
        SecretHash([number; 32])
    }

    fn wanted(number: u8) -> Wanted {
        Wanted {
            digest: digest(number),
            fresh: false,
            doubtful: false,
        }
    }

    fn fresh(number: u8) -> Wanted {
        Wanted {
            fresh: true,
            ..wanted(number)
        }
    }

    fn doubtful(number: u8) -> Wanted {
        Wanted {
            doubtful: true,
            ..wanted(number)
        }
    }

    #[test]
    fn a_digest_is_read_once_for_all_who_ask() {
        let flights = Flights::new(10);
        let mut first = flights.join(wanted(1)).unwrap();
        let mut second = flights.join(wanted(1)).unwrap();
        assert_eq!(flights.take(10), [(digest(1), 0)]);
        let mut third = flights.join(wanted(1)).unwrap();
        assert_eq!(flights.take(10), []);
        flights.land(digest(1), &Outcome::Failed);
        for answer in [&mut first, &mut second, &mut third] {
            assert!(matches!(answer.try_recv(), Ok(Outcome::Failed)));
        }
        assert_eq!(flights.callers(), 0);
    }

    #[test]
    fn those_who_ask_together_are_read_together() {
        let flights = Flights::new(3);
        let _before = flights.join(wanted(1)).unwrap();
        assert_eq!(flights.take(10).len(), 1);
        let joined = flights.join_all([1, 2, 2, 3, 4].map(wanted));
        let admitted: Vec<bool> = joined.iter().map(Result::is_ok).collect();
        assert_eq!(admitted, [true, true, true, true, false]);
        assert_eq!(flights.take(10), [(digest(2), 0), (digest(3), 0)]);
        assert_eq!(flights.callers(), 5);
    }

    #[test]
    fn a_fresh_read_begins_after_it_was_asked_for() {
        let flights = Flights::new(10);
        let mut first = flights.join(wanted(1)).unwrap();
        assert_eq!(flights.take(10).len(), 1);
        let mut fresh = flights.join(fresh(1)).unwrap();
        flights.land(digest(1), &Outcome::Failed);
        assert!(first.try_recv().is_ok() && fresh.try_recv().is_err());
        assert_eq!(flights.take(10).len(), 1);
        flights.land(digest(1), &Outcome::Failed);
        assert!(fresh.try_recv().is_ok());
    }

    #[test]
    fn the_queue_is_bounded_by_digests() {
        let flights = Flights::new(2);
        let _one = flights.join(wanted(1)).unwrap();
        let _two = flights.join(wanted(2)).unwrap();
        assert_eq!(flights.join(wanted(3)).unwrap_err(), Refused);
        assert!(flights.join(wanted(1)).is_ok());
    }

    #[test]
    fn what_is_in_doubt_finds_room_where_there_is_none_and_waits_for_every_second_one_only() {
        let flights = Flights::new(8);
        let waiting: Vec<_> = (0..8)
            .map(|number| flights.join(wanted(number)).unwrap())
            .collect();
        assert_eq!(flights.join(wanted(8)).unwrap_err(), Refused);
        let _in_doubt = flights.join(doubtful(9)).unwrap();
        assert_eq!(flights.join(doubtful(10)).unwrap_err(), Refused);
        let digests = |taken: Vec<(SecretHash, u8)>| -> Vec<u8> {
            taken.into_iter().map(|(digest, _)| digest.0[0]).collect()
        };
        assert_eq!(digests(flights.take(3)), [9, 0, 1]);
        // One that has to be read again is in as much doubt as before.
        flights.again(digest(9));
        assert_eq!(digests(flights.take(2)), [9, 2]);
        flights.land(digest(9), &Outcome::Failed);
        drop(waiting);
        assert!(flights.take(9).is_empty());
    }

    #[test]
    fn nobody_reads_what_nobody_waits_for() {
        let flights = Flights::new(2);
        drop(flights.join(wanted(1)).unwrap());
        let _kept = flights.join(wanted(2)).unwrap();
        assert_eq!(flights.take(10), [(digest(2), 0)]);
        assert!(flights.join(wanted(3)).is_ok(), "its room is free again");
    }

    #[test]
    fn reading_again_ends_some_time() {
        let flights = Flights::new(2);
        let mut answer = flights.join(wanted(1)).unwrap();
        for reads in 0..MOST_READS {
            assert_eq!(flights.take(10), [(digest(1), reads)]);
            assert!(answer.try_recv().is_err());
            flights.again(digest(1));
        }
        assert!(matches!(answer.try_recv(), Ok(Outcome::Failed)));
    }

    #[test]
    fn closing_lets_everybody_go() {
        let flights = Flights::new(2);
        let mut answer = flights.join(wanted(1)).unwrap();
        flights.close();
        assert!(answer.try_recv().is_err());
        assert!(flights.join(wanted(1)).is_err());
    }
}
