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

type Caller = oneshot::Sender<Outcome>;

#[derive(Debug, Default)]
struct Flight {
    under_way: bool,
    reads: u8,
    callers: Vec<Caller>,
    /// Those who came while it was under way and want a read that begins after they came.
    later: Vec<Caller>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<SecretHash>,
    flights: HashMap<SecretHash, Flight>,
    closed: bool,
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

    /// Asks for a read of `digest`, or joins one. With `fresh`, only one that has yet to begin.
    pub(crate) fn join(
        &self,
        digest: SecretHash,
        fresh: bool,
    ) -> Result<oneshot::Receiver<Outcome>, Refused> {
        let (caller, answer) = oneshot::channel();
        let mut queue = self.queue.lock();
        if queue.closed {
            return Err(Refused);
        }
        if let Some(flight) = queue.flights.get_mut(&digest) {
            if fresh && flight.under_way {
                flight.later.push(caller);
            } else {
                flight.callers.push(caller);
            }
            return Ok(answer);
        }
        if queue.flights.len() >= self.capacity {
            return Err(Refused);
        }
        queue.flights.insert(
            digest,
            Flight {
                callers: vec![caller],
                ..Flight::default()
            },
        );
        queue.waiting.push_back(digest);
        drop(queue);
        self.wanted.notify_one();
        Ok(answer)
    }

    /// Takes up to `most` digests to be read now, each with how often it was read before. Those
    /// that nobody waits for any more are dropped.
    pub(crate) fn take(&self, most: usize) -> Vec<(SecretHash, u8)> {
        let mut taken = Vec::new();
        let mut queue = self.queue.lock();
        while taken.len() < most {
            let Some(digest) = queue.waiting.pop_front() else {
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
        let more = !queue.waiting.is_empty();
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
                    callers: flight.later,
                    ..Flight::default()
                },
            );
            queue.waiting.push_back(digest);
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
        queue.waiting.push_back(digest);
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

    #[test]
    fn a_digest_is_read_once_for_all_who_ask() {
        let flights = Flights::new(10);
        let mut first = flights.join(digest(1), false).unwrap();
        let mut second = flights.join(digest(1), false).unwrap();
        assert_eq!(flights.take(10), [(digest(1), 0)]);
        let mut third = flights.join(digest(1), false).unwrap();
        assert_eq!(flights.take(10), []);
        flights.land(digest(1), &Outcome::Failed);
        for answer in [&mut first, &mut second, &mut third] {
            assert!(matches!(answer.try_recv(), Ok(Outcome::Failed)));
        }
        assert_eq!(flights.callers(), 0);
    }

    #[test]
    fn a_fresh_read_begins_after_it_was_asked_for() {
        let flights = Flights::new(10);
        let mut first = flights.join(digest(1), false).unwrap();
        assert_eq!(flights.take(10).len(), 1);
        let mut fresh = flights.join(digest(1), true).unwrap();
        flights.land(digest(1), &Outcome::Failed);
        assert!(first.try_recv().is_ok() && fresh.try_recv().is_err());
        assert_eq!(flights.take(10).len(), 1);
        flights.land(digest(1), &Outcome::Failed);
        assert!(fresh.try_recv().is_ok());
    }

    #[test]
    fn the_queue_is_bounded_by_digests() {
        let flights = Flights::new(2);
        let _one = flights.join(digest(1), false).unwrap();
        let _two = flights.join(digest(2), false).unwrap();
        assert_eq!(flights.join(digest(3), false).unwrap_err(), Refused);
        assert!(flights.join(digest(1), false).is_ok());
    }

    #[test]
    fn nobody_reads_what_nobody_waits_for() {
        let flights = Flights::new(2);
        drop(flights.join(digest(1), false).unwrap());
        let _kept = flights.join(digest(2), false).unwrap();
        assert_eq!(flights.take(10), [(digest(2), 0)]);
        assert!(
            flights.join(digest(3), false).is_ok(),
            "its room is free again"
        );
    }

    #[test]
    fn reading_again_ends_some_time() {
        let flights = Flights::new(2);
        let mut answer = flights.join(digest(1), false).unwrap();
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
        let mut answer = flights.join(digest(1), false).unwrap();
        flights.close();
        assert!(answer.try_recv().is_err());
        assert!(flights.join(digest(1), false).is_err());
    }
}
