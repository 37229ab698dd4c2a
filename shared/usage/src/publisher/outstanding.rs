//! What the broker has acknowledged of one lane and the ledger does not hold yet, and when it is to
//! be sent once more. Pure: what counts as evidence can be read and tested without a broker.
//!
//! A batch is sent again if the stream is another one than the one that acknowledged it, if the
//! stream gives out its sequence anew, or if the stream has nothing left up to its sequence and the
//! ledger, read after that was seen, does not hold it. Never because time goes by: an ingestor may
//! be away for days.

use super::seen::{Look, Receipt, WentBack};
use crate::ranges::RangeSet;

/// The most entries of a lane. Beyond it neighbours share one: evidence about one of them is then
/// found later, or taken for evidence about both, which costs a needless message.
const MOST: usize = 1_024;
/// A batch that is passed over again and again is sent after longer and longer, up to this many
/// looks: whoever takes it out of the stream may do so without ever settling it.
const LONGEST_WAIT: u64 = 3_600;

/// Why something is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    StreamChanged,
    StreamWentBack,
    PassedOver,
    LedgerWentBack,
}

impl Reason {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::StreamChanged => "stream_changed",
            Self::StreamWentBack => "stream_went_back",
            Self::PassedOver => "passed_over",
            Self::LedgerWentBack => "ledger_went_back",
        }
    }
}

/// Numbers that were acknowledged, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    first: u64,
    last: u64,
    /// The highest attempt in it.
    pub(super) attempt: u32,
    receipt: Receipt,
    /// How many looks had begun when it was acknowledged.
    looks: u64,
    suspect: Option<Reason>,
}

/// Numbers that are to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Again {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) attempt: u32,
    pub(super) reason: Reason,
}

impl Sent {
    pub(super) fn new(
        (first, last): (u64, u64),
        attempt: u32,
        receipt: Receipt,
        looks: u64,
    ) -> Self {
        Self {
            first,
            last,
            attempt,
            receipt,
            looks,
            suspect: None,
        }
    }

    /// Takes in that the stream gives out sequences anew.
    pub(super) fn went_back(&mut self, lost: WentBack) {
        if self.receipt.sequence >= lost.from && self.receipt.acks <= lost.acks {
            self.suspect.get_or_insert(Reason::StreamWentBack);
        }
    }

    /// Takes in what a look says of it.
    pub(super) fn looked_at(&mut self, look: &Look) {
        if self.receipt.acks > look.acks {
            return;
        }
        // Which stream acknowledged before the first look is not known. If it was another one, the
        // new one passes the sequence one day and the ledger does not hold the numbers.
        let stream = *self.receipt.stream.get_or_insert(look.stream);
        if stream != look.stream {
            self.suspect = Some(Reason::StreamChanged);
        } else if let Some(lost) = look.went_back {
            self.went_back(lost);
        }
    }

    /// Why it is to be sent again if the ledger, read after `look`, lacks any of it.
    pub(super) fn evidence(&self, look: Option<&Look>, looks: u64) -> Option<Reason> {
        let passed = look.is_some_and(|look| {
            self.receipt.acks <= look.acks && self.receipt.sequence <= look.passed
        });
        let wait = 1 << (self.attempt - 1).min(32);
        let waited = looks.saturating_sub(self.looks) >= LONGEST_WAIT.min(wait);
        self.suspect
            .or((passed && waited).then_some(Reason::PassedOver))
    }

    fn merge(self, next: Self) -> Option<Self> {
        let together = self.receipt.stream == next.receipt.stream && self.suspect == next.suspect;
        together.then(|| Self {
            first: self.first,
            last: self.last.max(next.last),
            attempt: self.attempt.max(next.attempt),
            receipt: Receipt {
                sequence: self.receipt.sequence.max(next.receipt.sequence),
                acks: self.receipt.acks.max(next.receipt.acks),
                ..self.receipt
            },
            looks: self.looks.max(next.looks),
            suspect: self.suspect,
        })
    }
}

/// The entries of one lane.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    /// Sorted by their first numbers.
    sent: Vec<Sent>,
}

impl Outstanding {
    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Whether there is evidence that something is lost.
    pub(super) fn is_suspect(&self) -> bool {
        self.sent.iter().any(|sent| sent.suspect.is_some())
    }

    pub(super) fn add(&mut self, sent: Sent) {
        let at = self.sent.partition_point(|it| it.first < sent.first);
        self.sent.insert(at, sent);
        if self.sent.len() > MOST {
            let mut merged: Vec<Sent> = Vec::with_capacity(MOST);
            for pair in self.sent.chunks(2) {
                match pair {
                    [one, two] => match one.merge(*two) {
                        Some(both) => merged.push(both),
                        None => merged.extend(pair),
                    },
                    _ => merged.extend(pair),
                }
            }
            self.sent = merged;
        }
    }

    pub(super) fn went_back(&mut self, lost: WentBack) {
        self.sent.iter_mut().for_each(|sent| sent.went_back(lost));
    }

    pub(super) fn looked_at(&mut self, look: &Look) {
        self.sent.iter_mut().for_each(|sent| sent.looked_at(look));
    }

    /// Forgets what the ledger holds, and takes out what is to be sent again of the rest. The ledger
    /// was read after `look`.
    pub(super) fn settle(
        &mut self,
        ledger: &RangeSet,
        look: Option<&Look>,
        looks: u64,
    ) -> Vec<Again> {
        let mut again = Vec::new();
        self.sent.retain(|sent| {
            let gaps = ledger.gaps(sent.first, sent.last);
            if gaps.is_empty() {
                return false;
            }
            let Some(reason) = sent.evidence(look, looks) else {
                return true;
            };
            again.extend(gaps.into_iter().map(|(first, last)| Again {
                first,
                last,
                attempt: sent.attempt + 1,
                reason,
            }));
            false
        });
        again
    }
}

#[cfg(test)]
mod tests {
    use async_nats::datetime::{DateTime, from_nanos};

    use super::*;

    fn stream(number: i128) -> DateTime {
        from_nanos(number).unwrap()
    }

    fn sent(first: u64, last: u64, sequence: u64) -> Sent {
        let receipt = Receipt {
            stream: Some(stream(1)),
            sequence,
            acks: sequence,
            lost: None,
        };
        Sent::new((first, last), 1, receipt, 0)
    }

    /// Of two batches, sent as the messages 1 and 2.
    fn two() -> Outstanding {
        let mut outstanding = Outstanding::default();
        outstanding.add(sent(11, 20, 2));
        outstanding.add(sent(1, 10, 1));
        outstanding
    }

    fn look(created: i128, passed: u64) -> Look {
        Look {
            stream: stream(created),
            passed,
            acks: 100,
            went_back: None,
        }
    }

    fn again(first: u64, last: u64, reason: Reason) -> Again {
        Again {
            first,
            last,
            attempt: 2,
            reason,
        }
    }

    #[test]
    fn without_evidence_everything_waits_for_ever() {
        let mut outstanding = two();
        for looks in 0..10_000 {
            let seen = look(1, 0);
            outstanding.looked_at(&seen);
            let again = outstanding.settle(&RangeSet::default(), Some(&seen), looks);
            assert_eq!(again, []);
            assert_eq!(outstanding.settle(&RangeSet::default(), None, looks), []);
        }
        let ledger: RangeSet = [(1, 20)].into_iter().collect();
        assert_eq!(outstanding.settle(&ledger, None, 0), []);
        assert!(outstanding.is_empty());
    }

    #[test]
    fn what_left_the_stream_and_is_not_in_the_ledger_is_sent_again_once() {
        let mut outstanding = two();
        let seen = look(1, 1);
        outstanding.looked_at(&seen);
        let ledger: RangeSet = [(3, 4)].into_iter().collect();
        let found = outstanding.settle(&ledger, Some(&seen), 1);
        let expected = [(1, 2), (5, 10)].map(|(a, b)| again(a, b, Reason::PassedOver));
        assert_eq!(found, expected);
        assert_eq!(outstanding.settle(&ledger, Some(&seen), 2), []);
    }

    #[test]
    fn what_is_passed_over_again_and_again_waits_longer_each_time() {
        let receipt = sent(1, 10, 1).receipt;
        let waits = |attempt| {
            let sent = Sent::new((1, 10), attempt, receipt, 5);
            let seen = look(1, 9);
            (6..).find(|looks| sent.evidence(Some(&seen), *looks).is_some())
        };
        assert_eq!(waits(1), Some(6));
        assert_eq!(waits(2), Some(7));
        assert_eq!(waits(5), Some(21));
        assert_eq!(waits(60), Some(5 + LONGEST_WAIT));
    }

    #[test]
    fn another_stream_has_nothing_of_what_the_first_acknowledged() {
        let mut outstanding = two();
        outstanding.looked_at(&look(2, 0));
        let found = outstanding.settle(&RangeSet::default(), None, 1);
        let expected = [(1, 10), (11, 20)].map(|(a, b)| again(a, b, Reason::StreamChanged));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_was_acknowledged_after_the_look_began_is_not_judged_by_it() {
        let mut outstanding = two();
        let early = Look {
            acks: 1,
            ..look(2, 9)
        };
        outstanding.looked_at(&early);
        let found = outstanding.settle(&RangeSet::default(), Some(&early), 1);
        assert_eq!(found, [again(1, 10, Reason::StreamChanged)]);
    }

    #[test]
    fn a_stream_that_went_back_has_lost_what_follows() {
        let mut outstanding = two();
        outstanding.went_back(WentBack { from: 2, acks: 9 });
        let found = outstanding.settle(&RangeSet::default(), None, 0);
        assert_eq!(found, [again(11, 20, Reason::StreamWentBack)]);
        // The same sequence, given out anew.
        outstanding.add(sent(11, 20, 2));
        outstanding.went_back(WentBack { from: 2, acks: 1 });
        assert_eq!(outstanding.settle(&RangeSet::default(), None, 0), []);
    }

    #[test]
    fn memory_stays_bounded_and_nothing_is_forgotten() {
        let mut outstanding = Outstanding::default();
        for batch in 0..100_000 {
            outstanding.add(sent(batch * 10 + 1, batch * 10 + 10, batch + 1));
            assert!(outstanding.sent.len() <= MOST);
        }
        let seen = Look {
            acks: u64::MAX,
            ..look(1, 100_000)
        };
        let found = outstanding.settle(&RangeSet::default(), Some(&seen), 1);
        let all: RangeSet = found.iter().map(|it| (it.first, it.last)).collect();
        assert!(all.covers(1, 1_000_000));
    }
}
