//! The reading end of a lane: cuts its records into batches and knows which segments are settled.
//!
//! It reads behind the writer without a lock. The cut of a batch is on record before the batch
//! leaves this module, and batches of an earlier run come out exactly as they were cut then.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::cuts::{Cut, CutFile};
use super::lane::LaneShared;
use super::map::{Reader, Slot};
use super::segment::Segment;
use crate::ranges::RangeSet;
use crate::wire::{BatchBuilder, MAX_RECORD_BYTES, at_micros};

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

#[derive(Debug)]
struct OpenSegment {
    segment: Arc<Segment>,
    reader: Reader,
    cut_file: CutFile,
    /// Cuts of an earlier run that are to be repeated.
    planned: VecDeque<Cut>,
    first: u64,
    next: u64,
    /// Whether every record has been cut and none will follow.
    finished: bool,
}

impl OpenSegment {
    fn open(segment: Arc<Segment>) -> io::Result<Self> {
        let mut cut_file = segment.cut_file()?;
        let planned = cut_file.load()?.into();
        let first = segment.region.first_sequence();
        Ok(Self {
            reader: segment.region.reader(),
            segment,
            cut_file,
            planned,
            first,
            next: first,
            finished: false,
        })
    }
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
            self.next = segment.next;
            if let Some(sealed) = sealed {
                return Ok(Some(sealed));
            }
            if !segment.finished {
                return Ok(None);
            }
        }
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
            let empty = oldest.next == oldest.first;
            if !oldest.finished || !(empty || ledger.covers(oldest.first, oldest.next - 1)) {
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

impl OpenSegment {
    /// The next batch of this segment. `None`, with `finished` set or not, if there is none now.
    fn cut(&mut self, source: Uuid, settled: &RangeSet, grows: bool) -> io::Result<Option<Sealed>> {
        while let Some(plan) = self.planned.pop_front() {
            if let Some(sealed) = self.repeat(plan, source, grows)
                && !settled.covers(sealed.first, sealed.last)
            {
                return Ok(Some(sealed));
            }
        }
        self.skip_settled(settled, grows);
        let gaps = settled.gaps(self.next, self.next + BATCH_EVENTS as u64 - 1);
        let limit = match gaps.first() {
            Some(&(first, last)) if first == self.next => (last + 1 - first) as usize,
            _ => return Ok(None),
        };
        let start = self.reader.clone();
        let Some(sealed) = self.read(source, limit, grows) else {
            return Ok(None);
        };
        let cut = Cut {
            first: sealed.first,
            last: sealed.last,
            checksum: sealed.checksum,
        };
        if let Err(error) = self.cut_file.append(cut) {
            (self.reader, self.next, self.finished) = (start, sealed.first, false);
            return Err(error);
        }
        Ok(Some(sealed))
    }

    /// Cuts a batch as an earlier run did.
    fn repeat(&mut self, plan: Cut, source: Uuid, grows: bool) -> Option<Sealed> {
        if plan.first != self.next {
            return None;
        }
        let sealed = self.read(source, (plan.last + 1 - plan.first) as usize, grows)?;
        if (sealed.last, sealed.checksum) != (plan.last, plan.checksum) {
            // Only a power loss can do this. What is left of the batch is sent; should the broker
            // have the whole batch after all, the ledger keeps the two from counting twice.
            tracing::error!(
                %source, first = plan.first, last = plan.last, found = sealed.last,
                "a batch that was cut earlier did not survive whole"
            );
        }
        Some(sealed)
    }

    /// Steps over records that are in the ledger although no cut says so.
    fn skip_settled(&mut self, settled: &RangeSet, grows: bool) {
        while !self.finished && settled.covers(self.next, self.next) {
            if self.read(Uuid::nil(), 1, grows).is_none() {
                return;
            }
        }
    }

    /// Reads up to `limit` records. Sets `finished` if the end was met.
    fn read(&mut self, source: Uuid, limit: usize, grows: bool) -> Option<Sealed> {
        let mut batch = BatchBuilder::new(source, self.next);
        let mut oldest_micros = i64::MAX;
        while batch.len() < limit {
            match self.reader.next(MAX_RECORD_BYTES) {
                Slot::Record(record) => {
                    if batch.is_empty() {
                        oldest_micros = at_micros(record).unwrap_or(i64::MAX);
                    }
                    batch.push(record);
                }
                Slot::Empty => {
                    self.finished = !grows;
                    break;
                }
                Slot::Sealed => {
                    self.finished = true;
                    break;
                }
                Slot::Torn => {
                    tracing::error!(
                        %source, segment = self.segment.index, next = self.next + batch.len() as u64,
                        "the rest of a spool segment is not readable and is cut off"
                    );
                    self.finished = true;
                    break;
                }
            }
        }
        if batch.is_empty() {
            return None;
        }
        let (header, checksum, message) = batch.finish();
        self.next = header.last + 1;
        Some(Sealed {
            source,
            first: header.first,
            last: header.last,
            checksum,
            oldest_micros,
            message,
        })
    }
}
