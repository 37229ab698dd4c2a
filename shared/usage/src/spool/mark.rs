//! The highest number that a lane has given to a dropped event, kept where it survives the process.
//!
//! Dropped events have numbers and no records. Where a record follows, its segment tells that there
//! were some: it begins with a higher number. Only of those after the last record nothing else would
//! tell. The file is made when the lane is, so that a disk that fills up later does not matter.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::map::Word;

const MAGIC: &[u8; 8] = b"TKDROP\0\x01";

/// The mark of a lane of this run.
#[derive(Debug)]
pub(super) struct Mark(Option<Word>);

fn path(lane: &Path) -> PathBuf {
    lane.join("dropped")
}

impl Mark {
    /// Makes the mark of the lane in the folder `lane`. A disk that does not even take this leaves
    /// one that forgets with the process, and the log says so.
    pub(super) fn create(lane: &Path) -> Self {
        let made = fs::create_dir_all(lane).and_then(|()| {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .open(path(lane))?;
            file.write_all(MAGIC)?;
            file.write_all(&[0; 8])?;
            Word::map(&file, MAGIC.len())
        });
        if let Err(error) = &made {
            tracing::warn!(
                %error, lane = %lane.display(),
                "dropped usage cannot be recorded: what is dropped last before a crash will be unknown"
            );
        }
        Self(made.ok())
    }

    /// Sets it. No system call.
    pub(super) fn set(&self, number: u64) {
        if let Some(word) = &self.0 {
            word.store(number);
        }
    }

    /// What a lane of an earlier run left behind; zero if nothing was dropped, or nobody knows.
    pub(super) fn read(lane: &Path) -> io::Result<u64> {
        let bytes = match fs::read(path(lane)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            bytes => bytes?,
        };
        let number = bytes
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.first_chunk());
        Ok(number.map_or(0, |number| u64::from_ne_bytes(*number)))
    }
}
