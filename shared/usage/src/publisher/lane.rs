//! One lane of the spool as the publisher sees it.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use super::outstanding::{Again, Outstanding, Reason, Sent};
use super::seen::{Look, Receipt, WentBack};
use crate::ledger::Covered;
use crate::ranges::RangeSet;
use crate::spool::tail::{BATCH_EVENTS, Sealed, Settled, Tail};

/// A batch on its way out.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) sealed: Sealed,
    /// Counts from 1. A higher one has a reason.
    pub(super) attempt: u32,
    pub(super) reason: Option<Reason>,
}

pub(super) struct Lane {
    pub(super) tail: Tail,
    /// Since when it has records that fill no batch.
    waiting_since: Option<Duration>,
    /// What the ledger holds of it. A lane of an earlier run is not sent before this is known; one
    /// of this run starts with nothing.
    ledger: Option<RangeSet>,
    outstanding: Outstanding,
    /// What the broker has, or the ledger: it could be given up here.
    acknowledged: RangeSet,
    /// What the ledger held when it was last asked. It never holds less but for a database that was
    /// restored from an older copy, or replaced by a replica that was behind.
    held: RangeSet,
    /// The highest attempt of any batch: what is sent under a number above it is new to the broker.
    attempt: u32,
    /// What is to be sent again, oldest first.
    again: VecDeque<Again>,
    close: Close,
    /// Whether the last cut could not be recorded, so that a broken disk is logged once.
    pub(super) is_stuck: bool,
}

/// How far the telling of the final number is.
enum Close {
    /// Not told, or to be told again, for the so-many-eth time.
    Open(u32),
    Sent(u32),
    Acknowledged(Sent),
    /// The ledger knows it.
    Done,
}

impl Lane {
    pub(super) fn new(tail: Tail) -> Self {
        Self {
            ledger: tail.is_live().then(RangeSet::default),
            tail,
            waiting_since: None,
            outstanding: Outstanding::default(),
            acknowledged: RangeSet::default(),
            held: RangeSet::default(),
            attempt: 1,
            again: VecDeque::new(),
            close: Close::Open(1),
            is_stuck: false,
        }
    }

    pub(super) fn is_ready(&mut self, now: Duration, linger: Duration) -> bool {
        if !self.again.is_empty() {
            return true;
        }
        let uncut = self.tail.uncut();
        if uncut == 0 {
            self.waiting_since = None;
            return false;
        }
        let since = *self.waiting_since.get_or_insert(now);
        let full = uncut >= BATCH_EVENTS as u64 || !self.tail.is_live();
        self.ledger.is_some() && (full || now.saturating_sub(since) >= linger)
    }

    pub(super) fn has_full_batch(&self) -> bool {
        let uncut = self.tail.uncut();
        !self.again.is_empty() || self.ledger.is_some() && uncut >= BATCH_EVENTS as u64
    }

    /// Whether anything is to be sent.
    pub(super) fn has_unsent(&self) -> bool {
        !self.again.is_empty() || self.tail.uncut() > 0
    }

    /// The next batch to be sent: first what was lost on its way.
    pub(super) fn next(&mut self, now: Duration) -> io::Result<Option<Outgoing>> {
        while let Some(again) = self.again.front_mut() {
            let sealed = self.tail.again(again.first, again.last)?;
            let outgoing = sealed.map(|sealed| Outgoing {
                attempt: again.attempt,
                reason: Some(again.reason),
                sealed,
            });
            again.first = outgoing
                .as_ref()
                .map_or(u64::MAX, |outgoing| outgoing.sealed.last + 1);
            if again.first > again.last {
                self.again.pop_front();
            }
            if outgoing.is_some() {
                return Ok(outgoing);
            }
        }
        let Some(ledger) = &self.ledger else {
            return Ok(None);
        };
        let sealed = self.tail.cut(ledger)?;
        if sealed.is_some() {
            self.waiting_since = Some(now);
        }
        Ok(sealed.map(|sealed| Outgoing {
            sealed,
            attempt: 1,
            reason: None,
        }))
    }

    /// The broker has this batch.
    pub(super) fn acknowledged(&mut self, outgoing: &Outgoing, receipt: Receipt, looks: u64) {
        let range = (outgoing.sealed.first, outgoing.sealed.last);
        self.acknowledged.insert(range.0, range.1);
        self.attempt = self.attempt.max(outgoing.attempt);
        let sent = Sent::new(range, outgoing.attempt, receipt, looks);
        self.outstanding.add(sent);
    }

    /// The final number of a lane of an earlier run, if it is to be told, and the attempt. It counts
    /// as sent.
    pub(super) fn take_close(&mut self) -> Option<(u64, u32)> {
        let Close::Open(attempt) = self.close else {
            return None;
        };
        self.ledger.as_ref()?;
        let last = self.tail.final_number()?;
        self.close = Close::Sent(attempt);
        Some((last, attempt))
    }

    /// The broker has the message with the final number.
    pub(super) fn closed(&mut self, receipt: Receipt, looks: u64) {
        if let Close::Sent(attempt) = self.close {
            self.close = Close::Acknowledged(Sent::new((0, 0), attempt, receipt, looks));
        }
    }

    /// Whether the ledger has something to tell about it.
    pub(super) fn asks_ledger(&self) -> bool {
        self.ledger.is_none() || self.tail.waits_for_ledger() || self.waits_for_evidence()
            // Nothing is to be waited for: it only has to be deleted.
            || matches!(self.close, Close::Done)
    }

    /// Whether the ledger has held something of it, and could have lost that.
    pub(super) fn relies_on_ledger(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether the broker holds something of it, as far as is known.
    pub(super) fn waits_for_evidence(&self) -> bool {
        !self.outstanding.is_empty() || matches!(self.close, Close::Acknowledged(_))
    }

    /// Takes in what an acknowledgement says about those before it.
    pub(super) fn went_back(&mut self, lost: WentBack) {
        self.outstanding.went_back(lost);
        if let Close::Acknowledged(sent) = &mut self.close {
            sent.went_back(lost);
        }
    }

    /// Takes in what was seen of the stream.
    pub(super) fn looked_at(&mut self, look: &Look) {
        self.outstanding.looked_at(look);
        if let Close::Acknowledged(sent) = &mut self.close {
            sent.looked_at(look);
        }
    }

    /// Takes in what the ledger says, read after `look`. Returns the segments that it covers, and why
    /// something is to be sent again.
    pub(super) fn settle(
        &mut self,
        covered: Covered,
        look: Option<&Look>,
        looks: u64,
    ) -> (Settled, Vec<Reason>) {
        let Covered {
            ranges,
            final_number,
        } = covered;
        // What is settled meanwhile need not be sent again.
        let still = std::mem::take(&mut self.again).into_iter();
        self.again = still
            .flat_map(|again| {
                let gaps = ranges.gaps(again.first, again.last).into_iter();
                gaps.map(move |(first, last)| Again {
                    first,
                    last,
                    ..again
                })
            })
            .collect();
        let mut lost = self.forgotten(&ranges);
        lost.extend(self.outstanding.settle(&ranges, look, looks));
        for range in ranges.iter() {
            self.acknowledged.insert(*range.start(), *range.end());
        }
        for again in &lost {
            self.acknowledged.remove(again.first, again.last);
        }
        let mut reasons: Vec<Reason> = lost.iter().map(|again| again.reason).collect();
        self.again.extend(lost);

        if let (Some(told), Some(last)) = (final_number, self.tail.final_number())
            && told >= last
        {
            self.close = Close::Done;
        }
        if let Close::Acknowledged(sent) = &self.close
            && let Some(reason) = sent.evidence(look, looks)
        {
            reasons.push(reason);
            self.close = Close::Open(sent.attempt + 1);
        }
        self.held = ranges.clone();
        let is_told = matches!(self.close, Close::Done);
        let settled = self.tail.settle(&ranges, is_told);
        if !self.tail.is_live() {
            self.ledger = Some(ranges);
        }
        (settled, reasons)
    }

    /// What the ledger has held and holds no more.
    fn forgotten(&self, ranges: &RangeSet) -> Vec<Again> {
        let gaps = self.held.iter().flat_map(|held| {
            let (first, last) = held.into_inner();
            ranges.gaps(first, last)
        });
        gaps.map(|(first, last)| Again {
            first,
            last,
            attempt: self.attempt + 1,
            reason: Reason::LedgerWentBack,
        })
        .collect()
    }

    /// Gives the oldest segment up if the broker has acknowledged all of it and nothing speaks against
    /// it.
    pub(super) fn release(&mut self) -> Option<Settled> {
        if self.outstanding.is_suspect() {
            return None;
        }
        self.tail.release(&self.acknowledged)
    }
}
