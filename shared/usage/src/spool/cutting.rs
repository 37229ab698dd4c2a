//! One segment on its way out: read record by record, cut into batches, and read again as it was cut.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use uuid::Uuid;

use super::cuts::{Cut, CutFile};
use super::map::{Reader, Slot};
use super::segment::Segment;
use super::tail::{BATCH_EVENTS, Sealed};
use crate::ranges::RangeSet;
use crate::wire::{BatchBuilder, BatchKind, MAX_RECORD_BYTES, at_micros};

/// A segment that the publisher reads.
#[derive(Debug)]
pub(super) struct OpenSegment {
    pub(super) segment: Arc<Segment>,
    cursor: Cursor,
    cut_file: CutFile,
    /// Cuts of an earlier run that are to be repeated.
    planned: VecDeque<Cut>,
    pub(super) first: u64,
    /// Whether every record has been cut and none will follow.
    pub(super) finished: bool,
    /// Where the reading of earlier batches has come to, so that many in a row are read in one go.
    replay: Option<Replay>,
}

#[derive(Debug)]
struct Replay {
    cursor: Cursor,
    /// The cuts that follow.
    cuts: VecDeque<Cut>,
}

impl OpenSegment {
    pub(super) fn open(segment: Arc<Segment>) -> io::Result<Self> {
        let mut cut_file = segment.cut_file()?;
        let planned = cut_file.load()?.into();
        Ok(Self {
            cursor: Cursor::at_start(&segment),
            first: segment.region.first_sequence(),
            segment,
            cut_file,
            planned,
            finished: false,
            replay: None,
        })
    }

    /// The number of the next record to be cut.
    pub(super) fn next(&self) -> u64 {
        self.cursor.next
    }

    /// The next batch of this segment. `None`, with `finished` set or not, if there is none now.
    pub(super) fn cut(
        &mut self,
        source: Uuid,
        settled: &RangeSet,
        grows: bool,
    ) -> io::Result<Option<Sealed>> {
        while let Some(plan) = self.planned.pop_front() {
            if let Some(sealed) = self.repeat(plan, source, grows)
                && !settled.covers(sealed.first, sealed.last)
            {
                return Ok(Some(sealed));
            }
        }
        self.skip_settled(settled, grows);
        let next = self.next();
        let gaps = settled.gaps(next, next + BATCH_EVENTS as u64 - 1);
        let limit = match gaps.first() {
            Some(&(first, last)) if first == next => (last + 1 - first) as usize,
            _ => return Ok(None),
        };
        let start = self.cursor.clone();
        let Some(sealed) = self.read(source, limit, grows) else {
            return Ok(None);
        };
        let cut = Cut {
            first: sealed.first,
            last: sealed.last,
            checksum: sealed.checksum,
        };
        if let Err(error) = self.cut_file.append(cut) {
            (self.cursor, self.finished) = (start, false);
            return Err(error);
        }
        Ok(Some(sealed))
    }

    /// Cuts a batch as an earlier run did.
    fn repeat(&mut self, plan: Cut, source: Uuid, grows: bool) -> Option<Sealed> {
        if plan.first != self.next() {
            return None;
        }
        let sealed = self.read(source, plan.len(), grows)?;
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
        while !self.finished && settled.covers(self.next(), self.next()) {
            if self.read(Uuid::nil(), 1, grows).is_none() {
                return;
            }
        }
    }

    fn read(&mut self, source: Uuid, limit: usize, grows: bool) -> Option<Sealed> {
        let (sealed, end) = self.cursor.read(source, limit);
        self.finished = match end {
            End::Limit => false,
            End::Empty => !grows,
            End::Sealed => true,
            End::Torn => {
                tracing::error!(
                    %source, segment = self.segment.index, next = self.next(),
                    "the rest of a spool segment is not readable and is cut off"
                );
                true
            }
        };
        sealed
    }

    /// The first batch that was cut before and holds a number from `first` to `last`, read again.
    pub(super) fn again(
        &mut self,
        source: Uuid,
        first: u64,
        last: u64,
    ) -> io::Result<Option<Sealed>> {
        let goes_on = self.replay.as_ref().is_some_and(|replay| {
            let known = replay.cuts.back().is_some_and(|cut| cut.last >= first);
            known && replay.cursor.next <= first
        });
        if !goes_on {
            self.replay = Some(Replay {
                cursor: Cursor::at_start(&self.segment),
                cuts: self.cut_file.load()?.into(),
            });
        }
        if let Some(Replay { cursor, cuts }) = &mut self.replay {
            while let Some(cut) = cuts.pop_front_if(|cut| cut.first <= last) {
                // Records that were settled before they were ever cut.
                while cursor.next < cut.first && cursor.read(source, 1).0.is_some() {}
                // A cut of which nothing survived a power loss is passed over, as it was before.
                if cursor.next == cut.first
                    && let (Some(sealed), _) = cursor.read(source, cut.len())
                    && sealed.last >= first
                {
                    return Ok(Some(sealed));
                }
            }
        }
        self.replay = None;
        Ok(None)
    }
}

/// A position in a segment, with the number of the record that stands there.
#[derive(Debug, Clone)]
struct Cursor {
    reader: Reader,
    next: u64,
}

/// Why reading ended.
enum End {
    /// There were as many records as wanted.
    Limit,
    Empty,
    Sealed,
    Torn,
}

impl Cursor {
    fn at_start(segment: &Segment) -> Self {
        Self {
            reader: segment.region.reader(),
            next: segment.region.first_sequence(),
        }
    }

    /// Reads up to `limit` records and moves past them.
    fn read(&mut self, source: Uuid, limit: usize) -> (Option<Sealed>, End) {
        let mut batch = BatchBuilder::new(source, self.next);
        let mut oldest_micros = i64::MAX;
        let end = loop {
            if batch.len() == limit {
                break End::Limit;
            }
            match self.reader.next(MAX_RECORD_BYTES) {
                Slot::Record(record) => {
                    if batch.is_empty() {
                        oldest_micros = at_micros(record).unwrap_or(i64::MAX);
                    }
                    batch.push(record);
                }
                Slot::Empty => break End::Empty,
                Slot::Sealed => break End::Sealed,
                Slot::Torn => break End::Torn,
            }
        };
        if batch.is_empty() {
            return (None, end);
        }
        let (header, checksum, message) = batch.finish();
        self.next = header.last + 1;
        let sealed = Sealed {
            kind: BatchKind::Events,
            source,
            first: header.first,
            last: header.last,
            checksum,
            oldest_micros,
            message,
        };
        (Some(sealed), end)
    }
}
