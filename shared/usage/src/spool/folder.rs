//! The spool's folder: its lock, and the lanes that lie in it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use uuid::Uuid;

use super::segment::index_of;
use super::settings::SpoolError;

/// The folder, locked for as long as this lives. The lock ends with the process, however it ends.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    lock: File,
}

impl Folder {
    /// Creates the folder if needed and locks it.
    pub(super) fn lock(path: &Path) -> Result<Self, SpoolError> {
        // It holds addresses and paths of clients: nobody else's business.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(SpoolError::io("cannot create the spool folder", path))?;
        let lock = path.join("LOCK");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock)
            .map_err(SpoolError::io("cannot open the lock file", &lock))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                lock: file,
            }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(SpoolError::InUse(path.to_owned())),
            Err(error) => Err(SpoolError::io("cannot lock", &lock)(error.into())),
        }
    }

    /// The folder of one lane.
    pub(super) fn lane(&self, source: Uuid) -> PathBuf {
        self.path.join(source.to_string())
    }

    /// The lanes in the folder, oldest first as their ids are ordered by time.
    pub(super) fn lanes(&self) -> Result<Vec<Uuid>, SpoolError> {
        let failed = || SpoolError::io("cannot list the spool folder", &self.path);
        let mut lanes = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed())? {
            let name = entry.map_err(failed())?.file_name();
            lanes.extend(name.to_str().and_then(|name| Uuid::parse_str(name).ok()));
        }
        lanes.sort_unstable();
        Ok(lanes)
    }

    /// The indexes of the segments of one lane.
    pub(super) fn segments(&self, source: Uuid) -> Result<Vec<u32>, SpoolError> {
        let path = self.lane(source);
        let failed = || SpoolError::io("cannot list the lane folder", &path);
        let mut indexes = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed())? {
            indexes.extend(index_of(&entry.map_err(failed())?.path()));
        }
        Ok(indexes)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Closing is not enough: a child process between fork and exec holds the same open file.
        let _ = flock(&self.lock, FlockOperation::Unlock);
    }
}
