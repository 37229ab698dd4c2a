//! The reading end of a lane: cuts its records into batches and knows which segments are settled.
//!
//! It reads behind the writer without a lock. The cut of a batch is on record before the batch
//! leaves this module, and batches of an earlier run come out exactly as they were cut then.
//!
//! A number of which there is no record, and which the ledger does not hold, was dropped. That holds
//! for events that found no room, for what was [released](Tail::release) to a broker that lost it, and
//! for what a power loss made unreadable, so nothing else need be kept about any of them.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::cutting::OpenSegment;
use super::lane::LaneShared;
use super::segment::Segment;
use crate::ranges::RangeSet;
use crate::wire::{BatchBuilder, BatchKind};

/// The most events in a batch.
pub(crate) const BATCH_EVENTS: usize = 500;

/// A batch, cut for good, or the report that some events were dropped.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    pub(crate) kind: BatchKind,
    pub(crate) source: Uuid,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) checksum: u32,
    /// When its first event happened; `i64::MAX` if there is none.
    pub(crate) oldest_micros: i64,
    pub(crate) message: Bytes,
}

impl Sealed {
    fn dropped(source: Uuid, first: u64, last: u64) -> Self {
        let (header, message) = BatchBuilder::dropped(source, first, last);
        Self {
            kind: header.kind,
            source,
            first,
            last,
            checksum: crc32fast::hash(&[]),
            oldest_micros: i64::MAX,
            message,
        }
    }
}

/// Segments that nobody needs any more.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    pub(super) segments: Vec<Arc<Segment>>,
    /// Whether the whole lane may go.
    pub(crate) lane_is_done: bool,
}

/// The reading end of one lane.
#[derive(Debug)]
pub(crate) struct Tail {
    source: Uuid,
    /// The lane of the running process; `None` for one of an earlier run, which grows no more.
    live: Option<Arc<LaneShared>>,
    segments: VecDeque<OpenSegment>,
    /// The number of the next event to be cut or reported.
    next: u64,
    /// Of a lane of an earlier run: the highest number that was given to a dropped event, or zero.
    dropped: u64,
}

impl Tail {
    /// The tail of a lane that is being written.
    pub(super) fn live(lane: &Arc<LaneShared>) -> Self {
        Self {
            source: lane.source,
            live: Some(Arc::clone(lane)),
            segments: VecDeque::new(),
            next: 1,
            dropped: 0,
        }
    }

    /// The tail of an earlier run's lane that gave numbers up to `dropped` to dropped events; `None`
    /// if it never gave out any.
    pub(super) fn recovered(
        source: Uuid,
        segments: VecDeque<Arc<Segment>>,
        dropped: u64,
    ) -> io::Result<Option<Self>> {
        let segments: VecDeque<_> = segments
            .into_iter()
            .map(OpenSegment::open)
            .collect::<Result<_, _>>()?;
        let is_used = !segments.is_empty() || dropped > 0;
        Ok(is_used.then_some(Self {
            source,
            live: None,
            segments,
            next: 1,
            dropped,
        }))
    }

    /// Whose records these are.
    pub(crate) fn source(&self) -> Uuid {
        self.source
    }

    /// Whether the running process still appends to it.
    pub(crate) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// How many events are not cut or reported yet; for a lane of an earlier run, whether there may
    /// be any is all that is known.
    pub(crate) fn uncut(&self) -> u64 {
        match &self.live {
            Some(lane) => (lane.given() + 1).saturating_sub(self.next),
            None => {
                let is_cut = self.segments.iter().all(|segment| segment.finished);
                u64::from(!is_cut || self.next <= self.dropped)
            }
        }
    }

    /// Whether a segment could be deleted as soon as the ledger covers it.
    pub(crate) fn waits_for_ledger(&self) -> bool {
        self.segments.iter().any(|segment| segment.finished)
    }

    /// The final number of a lane of an earlier run, once all of it is cut.
    pub(crate) fn final_number(&self) -> Option<u64> {
        (self.live.is_none() && self.uncut() == 0).then(|| self.next - 1)
    }

    /// Cuts the next batch, or reports the next events that were dropped, leaving out what `settled`
    /// says is in the ledger already. `None` if there is nothing to cut.
    ///
    /// # Errors
    /// If the cut cannot be recorded. Nothing is lost: the same records come up again.
    pub(crate) fn cut(&mut self, settled: &RangeSet) -> io::Result<Option<Sealed>> {
        loop {
            // Read before it is seen that no other segment was begun: records up to it are in those
            // that were.
            let given = self.live.as_ref().map_or(self.dropped, |lane| lane.given());
            let Some(segment) = self.segments.iter_mut().find(|segment| !segment.finished) else {
                if self.take_begun()? {
                    continue;
                }
                return Ok(self.report(given, settled));
            };
            if segment.first > self.next {
                let last = segment.first - 1;
                match self.report(last, settled) {
                    Some(report) => return Ok(Some(report)),
                    None => continue,
                }
            }
            let grows = self.live.is_some();
            let sealed = segment.cut(self.source, settled, grows)?;
            self.next = segment.next();
            if let Some(sealed) = sealed {
                return Ok(Some(sealed));
            }
            if !segment.finished {
                return Ok(None);
            }
        }
    }

    /// Reports the next numbers up to `last` that are not settled; there is no record of them.
    fn report(&mut self, last: u64, settled: &RangeSet) -> Option<Sealed> {
        let gap = settled.gaps(self.next, last).first().copied();
        let (first, last) = gap.unwrap_or((0, last));
        self.next = self.next.max(last + 1);
        gap.is_some()
            .then(|| Sealed::dropped(self.source, first, last))
    }

    /// The first batch that was cut before and holds a number from `first` to `last`, exactly as it
    /// was cut then, or the report that there is no record of the first of them. `None` if they were
    /// never sent.
    ///
    /// # Errors
    /// If the cuts cannot be read. Nothing has changed.
    pub(crate) fn again(&mut self, mut first: u64, last: u64) -> io::Result<Option<Sealed>> {
        let last = last.min(self.next - 1);
        for segment in &mut self.segments {
            if segment.next() <= first {
                continue;
            }
            if first > last {
                return Ok(None);
            }
            if segment.first > first {
                let last = last.min(segment.first - 1);
                return Ok(Some(Sealed::dropped(self.source, first, last)));
            }
            if let Some(sealed) = segment.again(self.source, first, last)? {
                return Ok(Some(sealed));
            }
            first = segment.next();
        }
        Ok((first <= last).then(|| Sealed::dropped(self.source, first, last)))
    }

    /// Takes the finished segments out that the ledger covers. The last one of an earlier run stays
    /// until everything is covered and the final number `is_told`: after it nobody could tell.
    pub(crate) fn settle(&mut self, ledger: &RangeSet, is_told: bool) -> Settled {
        let last = self.final_number();
        let is_done = is_told && last.is_some_and(|last| last == 0 || ledger.covers(1, last));
        let mut settled = Settled::default();
        // In order, so that what is left always holds the highest number: a later start takes the
        // final number from it.
        while let Some((first, next)) = self.oldest(is_done)
            && (first == next || ledger.covers(first, next - 1))
        {
            settled
                .segments
                .extend(self.segments.pop_front().map(|it| it.segment));
        }
        settled.lane_is_done = is_done && self.segments.is_empty();
        settled
    }

    /// Takes the oldest segment out if all of it is in `acknowledged`, which the broker has. What of it
    /// is lost there is dropped.
    pub(crate) fn release(&mut self, acknowledged: &RangeSet) -> Option<Settled> {
        let (first, next) = self.oldest(false)?;
        if first == next || !acknowledged.covers(first, next - 1) {
            return None;
        }
        Some(Settled {
            segments: self
                .segments
                .pop_front()
                .map(|it| it.segment)
                .into_iter()
                .collect(),
            lane_is_done: false,
        })
    }

    /// The first and the next number of the oldest segment, if it is finished and may go as far as
    /// numbers are concerned.
    fn oldest(&self, is_done: bool) -> Option<(u64, u64)> {
        let kept = usize::from(self.live.is_none() && !is_done);
        let oldest = self.segments.front().filter(|oldest| oldest.finished)?;
        (self.segments.len() > kept).then(|| (oldest.first, oldest.next()))
    }

    fn take_begun(&mut self) -> io::Result<bool> {
        let Some(lane) = &self.live else {
            return Ok(false);
        };
        let Some(segment) = lane.take_begun() else {
            return Ok(false);
        };
        match OpenSegment::open(Arc::clone(&segment)) {
            Ok(open) => {
                self.segments.push_back(open);
                Ok(true)
            }
            // Passed over, its records would be taken for dropped ones.
            Err(error) => {
                lane.put_back_begun(segment);
                Err(error)
            }
        }
    }
}
