//! How a spool is set up, and why opening one can fail.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::map::HEADER_BYTES;
use crate::Scrubber;
use crate::wire::MAX_RECORD_BYTES;

/// A lane's share of the bound holds at least this many segments: the one in use, two ahead, and
/// some that wait for the ledger.
const SEGMENTS_PER_LANE: u64 = 8;

/// What happens to an event when the spool has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FullPolicy {
    /// The event is reported as dropped; the request goes on.
    #[default]
    Drop,
    /// [`append`](super::Spool::append) fails, so that the request can be refused instead of going
    /// uncounted.
    Refuse,
}

/// How a spool is set up.
#[derive(Debug, Clone)]
pub struct SpoolSettings {
    /// The spool's own folder; created if it is not there.
    pub dir: PathBuf,
    /// The most bytes of disk the spool takes, everything included.
    pub max_bytes: u64,
    /// The size of one segment file at most; less where [`max_bytes`](Self::max_bytes) is small for
    /// the number of lanes.
    pub segment_bytes: u64,
    /// How many lanes: one for each thread that appends is best.
    pub lanes: usize,
    /// What to do when full.
    pub full_policy: FullPolicy,
    /// Takes tokens out of what is kept.
    pub scrubber: Scrubber,
}

impl SpoolSettings {
    /// Segments of up to 8 MiB, one lane for each core, at most 4 GiB, dropping when full.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            max_bytes: 4 << 30,
            segment_bytes: 8 << 20,
            lanes: std::thread::available_parallelism().map_or(4, usize::from),
            full_policy: FullPolicy::default(),
            scrubber: Scrubber::default(),
        }
    }

    /// The size of a segment that lets every lane have several within the bound.
    pub(super) fn effective_segment_bytes(&self) -> Result<u64, SpoolError> {
        let least = (HEADER_BYTES + 4 * (MAX_RECORD_BYTES + 16)) as u64;
        if self.lanes == 0 {
            return Err(SpoolError::Settings("there must be at least one lane"));
        }
        if self.segment_bytes < least || self.segment_bytes > 1 << 30 {
            return Err(SpoolError::Settings(
                "a segment must have between 8 KiB and 1 GiB",
            ));
        }
        let share = self.max_bytes / (self.lanes as u64 * SEGMENTS_PER_LANE);
        if share < least {
            return Err(SpoolError::Settings(
                "the spool's size must be at least 64 KiB for each lane",
            ));
        }
        Ok(self.segment_bytes.min(share).next_multiple_of(8))
    }
}

/// Why a spool cannot be opened.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// The settings contradict each other.
    #[error("the spool cannot be set up: {0}")]
    Settings(&'static str),
    /// Another process uses the folder.
    #[error("the spool folder {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The operating system refused something.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl SpoolError {
    pub(super) fn io<'a>(
        action: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// The spool has no room and its policy is to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the usage spool is full")]
pub struct SpoolFull;
