//! The bound on the disk space of all segments together.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Bytes taken and the most that may be.
#[derive(Debug)]
pub(super) struct Budget {
    max: u64,
    taken: AtomicU64,
    /// Set when a segment could not be made, so that full requests do not each try again.
    exhausted: AtomicBool,
}

impl Budget {
    pub(super) fn new(max: u64) -> Self {
        Self {
            max,
            taken: AtomicU64::new(0),
            exhausted: AtomicBool::new(false),
        }
    }

    pub(super) fn take(&self, bytes: u64) -> bool {
        let fits = |taken: u64| taken.checked_add(bytes).filter(|&sum| sum <= self.max);
        self.taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, fits)
            .is_ok()
    }

    /// Takes what is on the disk already, whatever the bound says.
    pub(super) fn take_existing(&self, bytes: u64) {
        self.taken.fetch_add(bytes, Ordering::AcqRel);
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.taken.fetch_sub(bytes, Ordering::AcqRel);
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    pub(super) fn set_exhausted(&self, exhausted: bool) {
        self.exhausted.store(exhausted, Ordering::Release);
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Acquire)
    }
}
