//! Keeps two segments ready for each lane, so that the request path finds the next one made.
//!
//! A lane that fills both before the thread has made another gets a small one on the spot, on the
//! time of the request that needs it. Dropping events while the disk has room would be worse, and
//! so would waiting for the thread, which may have many lanes to serve.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;
use std::{io, thread};

use parking_lot::Mutex;

use super::budget::Budget;
use super::lane::LaneShared;
use super::segment::{Segment, disk_bytes};
use super::settings::{SpoolError, SpoolSettings};

/// How many unused segments each lane has waiting.
const AHEAD: usize = 2;
/// The size of a segment that a request makes for itself: room for several thousand events, at the
/// cost of writing this many zeroes into the page cache. Half of it or less is no gain: the file
/// system then spends longer on making files than on filling them (`append_cost`).
const SMALL_BYTES: u64 = 1 << 20;
/// How soon a full disk is tried again, if nothing was deleted meanwhile.
const RETRY: Duration = Duration::from_secs(1);

/// What came of making segments.
enum Made {
    /// The lane had as many as wanted.
    Enough,
    /// Some were made.
    More,
    /// The spool's bound is reached.
    NoRoom,
}

/// Makes and deletes segments within the spool's bound.
#[derive(Debug)]
pub(super) struct Workshop {
    dir: PathBuf,
    segment_bytes: u64,
    max_bytes: u64,
    budget: Budget,
    lanes: Mutex<Vec<Arc<LaneShared>>>,
    stopped: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Workshop {
    pub(super) fn new(settings: &SpoolSettings, segment_bytes: u64) -> Self {
        Self {
            dir: settings.dir.clone(),
            segment_bytes,
            max_bytes: settings.max_bytes,
            budget: Budget::new(settings.max_bytes),
            lanes: Mutex::default(),
            stopped: AtomicBool::new(false),
            thread: OnceLock::new(),
        }
    }

    /// Takes a lane into care and makes its first segment, if there is room. A spool that is full
    /// of earlier runs must open all the same: only the publisher can empty it.
    pub(super) fn add_lane(&self, lane: &Arc<LaneShared>) -> Result<(), SpoolError> {
        match self.make(lane, 1) {
            Ok(Made::Enough | Made::More) => {}
            Ok(Made::NoRoom) => self.note_no_room(None),
            Err(error) if is_full_disk(&error) => self.note_no_room(Some(&error)),
            Err(error) => {
                return Err(SpoolError::io("cannot make a segment in", &lane.folder)(
                    error,
                ));
            }
        }
        self.lanes.lock().push(Arc::clone(lane));
        Ok(())
    }

    /// Starts the thread that works ahead.
    pub(super) fn start(self: &Arc<Self>) -> io::Result<Preparer> {
        let workshop = Arc::clone(self);
        let thread = thread::Builder::new()
            .name("usage-spool".to_owned())
            .spawn(move || workshop.run())?;
        // Set once: a workshop is started once.
        let _ = self.thread.set(thread.thread().clone());
        Ok(Preparer {
            workshop: Arc::clone(self),
            thread: Some(thread),
        })
    }

    fn run(&self) {
        while !self.stopped.load(Ordering::Acquire) {
            self.work_ahead();
            thread::park_timeout(RETRY);
        }
    }

    fn work_ahead(&self) {
        let lanes = self.lanes.lock().clone();
        // One for every lane before a second for any.
        for wanted in 1..=AHEAD {
            for lane in &lanes {
                if self.stopped.load(Ordering::Acquire) {
                    return;
                }
                self.noted(self.make(lane, wanted));
            }
        }
    }

    /// Makes a small segment at once if the lane has none, unless the disk is known to be full.
    /// Returns whether the lane has one now.
    pub(super) fn make_now(&self, lane: &LaneShared) -> bool {
        let _alone = lane.making_now.lock();
        if lane.prepared() > 0 {
            return true;
        }
        if self.budget.is_exhausted() {
            return false;
        }
        // It has fallen behind, or was not told yet.
        self.wake();
        self.noted(self.make_one(lane, self.segment_bytes.min(SMALL_BYTES)))
    }

    /// Keeps in mind whether there was room. Returns whether the lane has what was wanted.
    fn noted(&self, made: io::Result<Made>) -> bool {
        let reason = match made {
            Ok(Made::Enough) => return true,
            Ok(Made::More) => {
                self.budget.set_exhausted(false);
                return true;
            }
            Ok(Made::NoRoom) => None,
            Err(error) => Some(error),
        };
        self.note_no_room(reason.as_ref());
        false
    }

    fn note_no_room(&self, reason: Option<&io::Error>) {
        if !self.budget.is_exhausted() {
            tracing::warn!(
                dir = %self.dir.display(),
                error = reason.map(tracing::field::display),
                "the usage spool has no room for another segment"
            );
        }
        self.budget.set_exhausted(true);
    }

    /// Makes segments until the lane has `wanted` unused ones.
    fn make(&self, lane: &LaneShared, wanted: usize) -> io::Result<Made> {
        let mut made = Made::Enough;
        while lane.prepared() < wanted {
            made = self.make_one(lane, self.segment_bytes)?;
            if matches!(made, Made::NoRoom) {
                break;
            }
        }
        Ok(made)
    }

    fn make_one(&self, lane: &LaneShared, segment_bytes: u64) -> io::Result<Made> {
        let bytes = disk_bytes(segment_bytes);
        if !self.budget.take(bytes) {
            return Ok(Made::NoRoom);
        }
        let made = std::fs::create_dir_all(&lane.folder)
            .and_then(|()| Segment::create(&lane.folder, lane.take_index(), segment_bytes));
        match made {
            Ok(segment) => {
                lane.add_prepared(segment);
                Ok(Made::More)
            }
            Err(error) => {
                self.budget.give_back(bytes);
                Err(error)
            }
        }
    }

    /// Counts a segment of an earlier run.
    pub(super) fn adopt(&self, segment: &Segment) {
        self.budget.take_existing(segment.disk_bytes());
    }

    /// Deletes segments and makes use of the room.
    pub(super) fn delete(&self, segments: Vec<Arc<Segment>>) {
        let mut has_room = false;
        for segment in segments {
            match segment.delete() {
                Ok(()) => {
                    self.budget.give_back(segment.disk_bytes());
                    has_room = true;
                }
                // Its room stays taken; the next start finds the file again.
                Err(error) => tracing::warn!(%error, "cannot delete a settled segment"),
            }
        }
        // Whoever is told that there is room tries to make a segment, on the time of a request.
        if has_room {
            self.budget.set_exhausted(false);
            self.wake();
        }
    }

    pub(super) fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.budget.taken()
    }

    pub(super) fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.budget.is_exhausted()
    }
}

fn is_full_disk(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// The running thread; dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Preparer {
    workshop: Arc<Workshop>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.workshop.stopped.store(true, Ordering::Release);
        self.workshop.wake();
        if let Some(thread) = self.thread.take() {
            // It has no result, and a panic was printed where it happened.
            let _ = thread.join();
        }
    }
}
