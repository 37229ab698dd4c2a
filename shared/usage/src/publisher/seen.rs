//! What is seen of the broker's stream: which one it is, how far its numbers have come, and up to
//! where messages have left it.
//!
//! Nothing here is needed to lose nothing: the ledger alone decides what is kept. It decides when
//! something is sent once more, so a look that fails costs no more than time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::datetime::DateTime;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::{self, publish::PublishAck};
use parking_lot::Mutex;

use crate::message::{CONSUMER, STREAM};

/// A broker that answers later than this has not been looked at.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many looks do without the consumer after one that could not see it: whoever may not read it
/// gets no answer at all, and waits for that in vain.
const WITHOUT_CONSUMER: u32 = 60;

/// What is known at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    /// When the stream was made: another one of the same name has another time.
    stream: Option<DateTime>,
    /// The highest sequence it is known to have given out.
    highest: u64,
    /// How many acknowledgements came until then. It tells what was before and what after.
    acks: u64,
}

/// The broker's word for a message that it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Receipt {
    /// The stream, if it is known which one it was.
    pub(super) stream: Option<DateTime>,
    /// Where in the stream the message is.
    pub(super) sequence: u64,
    /// How many acknowledgements came until then.
    pub(super) acks: u64,
    /// What this one says about those before.
    pub(super) lost: Option<WentBack>,
}

/// The stream gives out sequences anew: what had been acknowledged under them is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WentBack {
    /// The first sequence that is given out anew.
    pub(super) from: u64,
    /// It concerns what was acknowledged among the first so many.
    pub(super) acks: u64,
}

/// The stream at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) stream: DateTime,
    /// Up to this sequence every message has been taken out of the stream, or acknowledged by an
    /// ingestor.
    pub(super) passed: u64,
    /// It saw what had been acknowledged among the first so many.
    pub(super) acks: u64,
    pub(super) went_back: Option<WentBack>,
}

/// What the senders and the looks have seen, together.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Known>>);

impl Seen {
    pub(super) fn now(&self) -> Known {
        *self.0.lock()
    }

    /// Takes in an acknowledgement of what was sent at `before`.
    pub(super) fn acknowledged(&self, before: Known, ack: &PublishAck) -> Receipt {
        let mut known = self.0.lock();
        // A duplicate has the sequence of its original.
        let went_back = !ack.duplicate && ack.sequence <= before.highest;
        let lost = went_back.then_some(WentBack {
            from: ack.sequence,
            acks: before.acks,
        });
        if went_back {
            // It may be another stream as well: the next look tells.
            known.stream = None;
            if known.highest == before.highest {
                known.highest = 0;
            }
        }
        known.highest = known.highest.max(ack.sequence);
        known.acks += 1;
        Receipt {
            stream: before.stream.filter(|_| !went_back),
            sequence: ack.sequence,
            acks: known.acks,
            lost,
        }
    }

    /// Takes in what a look that began at `before` has found.
    fn looked(&self, before: Known, stream: DateTime, last: u64, passed: u64) -> Look {
        let mut known = self.0.lock();
        let went_back = last < before.highest;
        if went_back && known.highest == before.highest {
            known.highest = 0;
        }
        known.stream = Some(stream);
        known.highest = known.highest.max(last);
        Look {
            stream,
            passed,
            acks: before.acks,
            went_back: went_back.then_some(WentBack {
                from: last + 1,
                acks: before.acks,
            }),
        }
    }
}

/// Looks at the stream.
#[derive(Clone)]
pub(super) struct Observer {
    client: async_nats::Client,
    jetstream: jetstream::Context,
    seen: Seen,
    /// How many of the next looks do without the consumer.
    without_consumer: Arc<AtomicU32>,
    /// Whether the log knows that the consumer cannot be looked at.
    said: Arc<AtomicBool>,
}

impl Observer {
    pub(super) fn new(client: async_nats::Client, seen: Seen) -> Self {
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(PATIENCE);
        Self {
            client,
            jetstream,
            seen,
            without_consumer: Arc::default(),
            said: Arc::default(),
        }
    }

    /// The stream as it is now; `None` if that cannot be told.
    pub(super) async fn look(&self) -> Option<Look> {
        if self.client.connection_state() != State::Connected {
            return None;
        }
        let before = self.seen.now();
        let stream = tokio::time::timeout(PATIENCE, self.jetstream.get_stream(STREAM));
        let (stream, floor) = tokio::join!(stream, self.floor());
        let stream = match stream.ok()? {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%error, "the stream {STREAM} cannot be looked at");
                return None;
            }
        };
        let info = stream.cached_info();
        // In a work queue, what has been acknowledged is gone. What was removed by other hands is
        // gone as well, and the consumer would not tell of it.
        let gone = info.state.first_sequence.saturating_sub(1);
        let (last, passed) = (info.state.last_sequence, gone.max(floor.unwrap_or(0)));
        Some(self.seen.looked(before, info.created, last, passed))
    }

    /// Up to where the ingestors have acknowledged everything.
    async fn floor(&self) -> Option<u64> {
        let left = self.without_consumer.load(Ordering::Relaxed);
        if left > 0 {
            self.without_consumer.store(left - 1, Ordering::Relaxed);
            return None;
        }
        let consumer = self
            .jetstream
            .get_consumer_from_stream::<pull::Config, _, _>(CONSUMER, STREAM);
        match tokio::time::timeout(PATIENCE, consumer).await {
            Ok(Ok(consumer)) => Some(consumer.cached_info().ack_floor.stream_sequence),
            Ok(Err(_)) | Err(_) => {
                self.without_consumer
                    .store(WITHOUT_CONSUMER, Ordering::Relaxed);
                if !self.said.swap(true, Ordering::Relaxed) {
                    tracing::info!(
                        "the consumer {CONSUMER} cannot be looked at; what has left the stream tells \
                         of lost usage all the same"
                    );
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(sequence: u64, duplicate: bool) -> PublishAck {
        PublishAck {
            stream: STREAM.to_owned(),
            sequence,
            domain: String::new(),
            duplicate,
            value: None,
        }
    }

    fn stream(number: i128) -> DateTime {
        async_nats::datetime::from_nanos(number).unwrap()
    }

    #[test]
    fn acknowledgements_in_any_order_are_no_step_back() {
        let seen = Seen::default();
        let before = seen.now();
        for sequence in [3, 1, 2] {
            let receipt = seen.acknowledged(before, &ack(sequence, false));
            assert_eq!((receipt.sequence, receipt.lost), (sequence, None));
        }
        assert_eq!(seen.now().highest, 3);
    }

    #[test]
    fn a_sequence_that_is_given_out_again_tells_what_is_lost() {
        let seen = Seen::default();
        let look = seen.looked(seen.now(), stream(1), 100, 0);
        assert_eq!((look.went_back, seen.now().stream), (None, Some(stream(1))));
        let before = seen.now();
        let first = seen.acknowledged(before, &ack(52, false));
        assert_eq!(first.lost, Some(WentBack { from: 52, acks: 0 }));
        assert_eq!(first.stream, None, "it may be another stream");
        // Sent beside it, before anybody knew.
        let second = seen.acknowledged(before, &ack(51, false));
        assert_eq!(second.lost, Some(WentBack { from: 51, acks: 0 }));
        let third = seen.acknowledged(seen.now(), &ack(53, false));
        assert_eq!((third.lost, third.stream), (None, None));
        seen.looked(seen.now(), stream(2), 53, 0);
        let fourth = seen.acknowledged(seen.now(), &ack(54, false));
        assert_eq!((fourth.lost, fourth.stream), (None, Some(stream(2))));
    }

    #[test]
    fn a_duplicate_has_an_old_sequence_and_tells_nothing() {
        let seen = Seen::default();
        seen.looked(seen.now(), stream(1), 100, 0);
        let receipt = seen.acknowledged(seen.now(), &ack(7, true));
        assert_eq!((receipt.lost, receipt.stream), (None, Some(stream(1))));
        assert_eq!(seen.now().highest, 100);
    }

    #[test]
    fn a_look_sees_a_step_back_and_nothing_that_came_while_it_looked() {
        let seen = Seen::default();
        seen.acknowledged(seen.now(), &ack(100, false));
        let before = seen.now();
        seen.acknowledged(before, &ack(101, false));
        let look = seen.looked(before, stream(1), 100, 0);
        assert_eq!((look.went_back, look.acks), (None, 1));
        let look = seen.looked(seen.now(), stream(1), 50, 0);
        assert_eq!(look.went_back, Some(WentBack { from: 51, acks: 2 }));
        let look = seen.looked(seen.now(), stream(1), 50, 0);
        assert_eq!(look.went_back, None, "said once");
    }
}
