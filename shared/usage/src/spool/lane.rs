//! One lane: the place one thread appends to.
//!
//! The lock is there for correctness only: with a lane for each thread nobody ever waits for it, and
//! its word lies in a cache line that no other core writes. Readers never take it.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;
use uuid::Uuid;

use super::map::Writer;
use super::mark::Mark;
use super::segment::Segment;

/// Keeps its content on cache lines of its own (two, as the prefetcher fetches pairs).
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Padded<T>(pub(super) T);

/// One lane of the running process.
#[derive(Debug)]
pub(super) struct Lane {
    head: Mutex<Head>,
    pub(super) shared: Arc<LaneShared>,
}

#[derive(Debug)]
struct Head {
    /// Where records go; nowhere yet if there was no room for a segment so far.
    writer: Option<Writer>,
    next: u64,
}

/// What the publisher and the preparer see of a lane.
#[derive(Debug)]
pub(crate) struct LaneShared {
    pub(super) source: Uuid,
    pub(super) folder: PathBuf,
    /// The next segment's index. It names the files and says nothing about their order: two may be
    /// made at once, and the first to be ready is begun first.
    next_index: AtomicU32,
    /// Held while a request makes a segment for itself, so that each lane has one such at a time.
    pub(super) making_now: Mutex<()>,
    segments: Mutex<Segments>,
    /// The number of the last event, appended or dropped. Written by the lane's thread for each.
    given: Padded<AtomicU64>,
    /// How many events were dropped.
    dropped: AtomicU64,
    mark: Mark,
}

/// Touched once for each segment, not for each record.
#[derive(Debug, Default)]
struct Segments {
    /// Ready for the writer.
    prepared: VecDeque<Arc<Segment>>,
    /// Begun by the writer, not yet taken over by the publisher.
    begun: VecDeque<Arc<Segment>>,
}

impl LaneShared {
    pub(super) fn new(source: Uuid, folder: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            source,
            mark: Mark::create(&folder),
            folder,
            next_index: AtomicU32::new(0),
            making_now: Mutex::default(),
            segments: Mutex::default(),
            given: Padded(AtomicU64::new(0)),
            dropped: AtomicU64::new(0),
        })
    }

    /// The number of the last event, appended or dropped; zero if there was none.
    pub(crate) fn given(&self) -> u64 {
        self.given.0.load(Ordering::Acquire)
    }

    /// How many events were appended, and how many dropped.
    pub(super) fn counts(&self) -> (u64, u64) {
        // In this order: a drop counts before its number is given.
        let dropped = self.dropped.load(Ordering::Acquire);
        (self.given().saturating_sub(dropped), dropped)
    }

    pub(super) fn take_index(&self) -> u32 {
        self.next_index.fetch_add(1, Ordering::Relaxed)
    }

    /// How many segments wait for the writer.
    pub(super) fn prepared(&self) -> usize {
        self.segments.lock().prepared.len()
    }

    pub(super) fn add_prepared(&self, segment: Segment) {
        self.segments.lock().prepared.push_back(Arc::new(segment));
    }

    /// The next segment the writer has begun.
    pub(super) fn take_begun(&self) -> Option<Arc<Segment>> {
        self.segments.lock().begun.pop_front()
    }

    /// Has [`take_begun`](Self::take_begun) give this one again: it could not be taken over.
    pub(super) fn put_back_begun(&self, segment: Arc<Segment>) {
        self.segments.lock().begun.push_front(segment);
    }

    /// Begins the next prepared segment with the record number `first`.
    fn begin(&self, first: u64) -> Option<Writer> {
        let mut segments = self.segments.lock();
        let segment = segments.prepared.pop_front()?;
        let writer = segment.region.writer(first)?;
        segments.begun.push_back(segment);
        Some(writer)
    }
}

/// Where a record came to stand.
pub(super) struct Appended {
    /// Its number.
    pub(super) number: u64,
    /// Whether a new segment was begun for it.
    pub(super) turned: bool,
}

/// Why a record was not appended.
pub(super) enum NoRoom {
    /// The segment is full and no other is prepared.
    Segment,
}

impl Lane {
    /// A lane with its first segment begun, if one was prepared.
    pub(super) fn begin(shared: Arc<LaneShared>) -> Self {
        let writer = shared.begin(1);
        Self {
            head: Mutex::new(Head { writer, next: 1 }),
            shared,
        }
    }

    /// Appends a record of `len` bytes that `fill` writes.
    #[inline]
    pub(super) fn append(&self, len: usize, fill: impl Fn(&mut [u8])) -> Result<Appended, NoRoom> {
        self.put(&mut self.head.lock(), len, fill)
    }

    /// As [`append`](Self::append), but an event for which there is no room is dropped: its number is
    /// given out, and there will be no record of it.
    pub(super) fn append_or_drop(
        &self,
        len: usize,
        fill: impl Fn(&mut [u8]),
    ) -> Result<Appended, NoRoom> {
        let mut head = self.head.lock();
        let outcome = self.put(&mut head, len, fill);
        if outcome.is_err() {
            // A shorter record might still fit, and would be taken for the one with this number.
            if let Some(full) = head.writer.take() {
                full.seal();
            }
            self.shared.mark.set(head.next);
            self.shared.dropped.fetch_add(1, Ordering::Release);
            self.give(&mut head);
        }
        outcome
    }

    #[inline]
    fn put(
        &self,
        head: &mut Head,
        len: usize,
        fill: impl Fn(&mut [u8]),
    ) -> Result<Appended, NoRoom> {
        let mut turned = false;
        if !head
            .writer
            .as_mut()
            .is_some_and(|writer| writer.append(len, &fill))
        {
            let mut next = self.shared.begin(head.next).ok_or(NoRoom::Segment)?;
            turned = true;
            let fits = next.append(len, &fill);
            if let Some(full) = head.writer.replace(next) {
                full.seal();
            }
            if !fits {
                return Err(NoRoom::Segment);
            }
        }
        let number = head.next;
        self.give(head);
        Ok(Appended { number, turned })
    }

    #[inline]
    fn give(&self, head: &mut Head) {
        // Still under the lock, so the numbers are stored in order; the reader needs no more.
        self.shared.given.0.store(head.next, Ordering::Release);
        head.next += 1;
    }
}
