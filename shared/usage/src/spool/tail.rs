//! The reading end of a lane: cuts its records into batches and knows which segments are settled.
//!
//! It reads behind the writer without a lock. The cut of a batch is on record before the batch
//! leaves this module, and batches of an earlier run come out exactly as they were cut then.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::cutting::OpenSegment;
use super::lane::LaneShared;
use super::segment::Segment;
use crate::ranges::RangeSet;

/// The most events in a batch.
pub(crate) const BATCH_EVENTS: usize = 500;

/// A batch, cut for good.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    pub(crate) source: Uuid,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) checksum: u32,
    /// When its first event happened.
    pub(crate) oldest_micros: i64,
    pub(crate) message: Bytes,
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
    /// The number of the next record to be cut.
    next: u64,
}

impl Tail {
    /// The tail of a lane that is being written.
    pub(super) fn live(lane: &Arc<LaneShared>) -> Self {
        Self {
            source: lane.source,
            live: Some(Arc::clone(lane)),
            segments: VecDeque::new(),
            next: 1,
        }
    }

    /// The tail of an earlier run's lane; `None` if it holds no segment.
    pub(super) fn recovered(
        source: Uuid,
        segments: VecDeque<Arc<Segment>>,
    ) -> io::Result<Option<Self>> {
        let segments: VecDeque<_> = segments
            .into_iter()
            .map(OpenSegment::open)
            .collect::<Result<_, _>>()?;
        Ok(segments
            .front()
            .map(|segment| segment.first)
            .map(|next| Self {
                source,
                live: None,
                segments,
                next,
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

    /// How many appended records are not cut yet; for a lane of an earlier run, whether there may
    /// be any is all that is known.
    pub(crate) fn uncut(&self) -> u64 {
        match &self.live {
            Some(lane) => (lane.appended() + 1).saturating_sub(self.next),
            None => u64::from(self.segments.iter().any(|segment| !segment.finished)),
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

    /// Cuts the next batch, leaving out what `settled` says is in the ledger already. `None` if
    /// there is nothing to cut.
    ///
    /// # Errors
    /// If the cut cannot be recorded. Nothing is lost: the same records come up again.
    pub(crate) fn cut(&mut self, settled: &RangeSet) -> io::Result<Option<Sealed>> {
        loop {
            let Some(segment) = self.segments.iter_mut().find(|segment| !segment.finished) else {
                if self.take_begun()? {
                    continue;
                }
                return Ok(None);
            };
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

    /// The first batch that was cut before and holds a number from `first` to `last`, exactly as it
    /// was cut then. `None` if no segment holds one any more.
    ///
    /// # Errors
    /// If the cuts cannot be read. Nothing has changed.
    pub(crate) fn again(&mut self, first: u64, last: u64) -> io::Result<Option<Sealed>> {
        for segment in &mut self.segments {
            if segment.first <= last
                && first < segment.next()
                && let Some(sealed) = segment.again(self.source, first, last)?
            {
                return Ok(Some(sealed));
            }
        }
        Ok(None)
    }

    /// Takes the finished segments out that the ledger covers. The last one of an earlier run stays
    /// until its final number `is_told`: after it nobody could tell.
    pub(crate) fn settle(&mut self, ledger: &RangeSet, is_told: bool) -> Settled {
        let kept = usize::from(self.live.is_none() && !is_told);
        let mut settled = Settled::default();
        // In order, so that what is left always holds the highest number: a later start takes the
        // final number from it.
        while self.segments.len() > kept
            && let Some(oldest) = self.segments.front()
        {
            let empty = oldest.next() == oldest.first;
            if !oldest.finished || !(empty || ledger.covers(oldest.first, oldest.next() - 1)) {
                break;
            }
            settled
                .segments
                .extend(self.segments.pop_front().map(|it| it.segment));
        }
        settled.lane_is_done = self.live.is_none() && self.segments.is_empty();
        settled
    }

    fn take_begun(&mut self) -> io::Result<bool> {
        let Some(segment) = self.live.as_ref().and_then(|lane| lane.take_begun()) else {
            return Ok(false);
        };
        self.segments.push_back(OpenSegment::open(segment)?);
        Ok(true)
    }
}
