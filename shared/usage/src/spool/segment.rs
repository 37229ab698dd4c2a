//! One segment on disk: the file with the records and, beside it, the file with the batch cuts.
//!
//! Both are allocated and zeroed in full before the segment is used. A full disk shows up here, as
//! an error that the policy can answer, and never later: neither as SIGBUS when a record is written
//! into the map, nor as a failing write when a batch is cut, which would stop the very publishing
//! that could free the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate};

use super::cuts::{CUT_BYTES, CutFile};
use super::map::{FIRST_SEQUENCE_AT, HEADER_BYTES, Region};

const MAGIC: &[u8; 8] = b"TKSEG\0\0\x01";
/// A cut for each 192 bytes of records: more than ever needed unless every batch is a single event.
const SEGMENT_BYTES_PER_CUT: u64 = 192;
const ZEROES: &[u8] = &[0; 1 << 16];

/// A segment file, mapped.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) index: u32,
    pub(super) region: Arc<Region>,
    records: PathBuf,
    cuts: PathBuf,
    disk_bytes: u64,
}

/// The bytes on disk of a segment with this size, its cuts included.
pub(super) fn disk_bytes(segment_bytes: u64) -> u64 {
    segment_bytes.next_multiple_of(8) + cut_file_bytes(segment_bytes)
}

fn cut_file_bytes(segment_bytes: u64) -> u64 {
    (segment_bytes / SEGMENT_BYTES_PER_CUT + 1) * CUT_BYTES
}

impl Segment {
    /// Makes segment `index` of the lane in `folder`. Leaves nothing behind if it fails.
    pub(super) fn create(folder: &Path, index: u32, segment_bytes: u64) -> io::Result<Self> {
        let bytes = segment_bytes.next_multiple_of(8);
        let (records, cuts) = paths(folder, index);
        let made = (|| {
            zeroed(&cuts, &[], cut_file_bytes(segment_bytes))?;
            let mut header = [0; HEADER_BYTES];
            header[..8].copy_from_slice(MAGIC);
            header[8..12].copy_from_slice(&index.to_le_bytes());
            Region::map_for_writer(&zeroed(&records, &header, bytes)?)
        })();
        match made {
            Ok(region) => Ok(Self {
                index,
                region,
                records,
                cuts,
                disk_bytes: disk_bytes(segment_bytes),
            }),
            Err(error) => {
                // Best effort: the disk may be in any state. A leftover is removed at the next start.
                let _ = fs::remove_file(&records);
                let _ = fs::remove_file(&cuts);
                Err(error)
            }
        }
    }

    /// Opens a segment that an earlier run left behind. `None` if it never held a record.
    pub(super) fn open(folder: &Path, index: u32) -> io::Result<Option<Self>> {
        let (records, cuts) = paths(folder, index);
        let file = OpenOptions::new().read(true).write(true).open(&records)?;
        let mut header = [0; HEADER_BYTES];
        if file.metadata()?.len() < HEADER_BYTES as u64 {
            return Ok(None);
        }
        rustix::io::pread(&file, &mut header, 0)?;
        if header[..8] != MAGIC[..] || header[8..12] != index.to_le_bytes() {
            // The header is written and the file complete before the first record: none is in it.
            return Ok(None);
        }
        if header[FIRST_SEQUENCE_AT..FIRST_SEQUENCE_AT + 8] == [0; 8] {
            // Never begun, or still being written when its process ended: then it may have any
            // length. One that was begun and has an impossible length is not ours to throw away.
            return Ok(None);
        }
        let region = Region::map(&file)?;
        let disk_bytes = file.metadata()?.len() + fs::metadata(&cuts).map_or(0, |meta| meta.len());
        Ok(Some(Self {
            index,
            region,
            records,
            cuts,
            disk_bytes,
        }))
    }

    /// The file that remembers how this segment was cut into batches.
    pub(super) fn cut_file(&self) -> io::Result<CutFile> {
        CutFile::open(&self.cuts)
    }

    /// What it takes of the disk.
    pub(super) fn disk_bytes(&self) -> u64 {
        self.disk_bytes
    }

    /// Deletes its files. The map stays valid until the last user lets go of it.
    pub(super) fn delete(&self) -> io::Result<()> {
        remove(&self.records)?;
        remove(&self.cuts)
    }
}

/// Deletes what is left of a segment that cannot be opened as one.
pub(super) fn delete_files(folder: &Path, index: u32) -> io::Result<()> {
    let (records, cuts) = paths(folder, index);
    remove(&records)?;
    remove(&cuts)
}

/// The segment a file in a lane's folder belongs to.
pub(super) fn index_of(path: &Path) -> Option<u32> {
    let kind = path.extension()?;
    (kind == "seg").then(|| path.file_stem()?.to_str()?.parse().ok())?
}

fn paths(folder: &Path, index: u32) -> (PathBuf, PathBuf) {
    let path = |kind| folder.join(format!("{index:010}.{kind}"));
    (path("seg"), path("cuts"))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A new file of `bytes` bytes: `start`, then zeroes that were really written.
fn zeroed(path: &Path, start: &[u8], bytes: u64) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)?;
    // Reserves the blocks in one piece; not every file system can, and the zeroes decide anyway.
    let _ = fallocate(&file, FallocateFlags::empty(), 0, bytes);
    let mut left = bytes - start.len() as u64;
    file.write_all(start)?;
    while left > 0 {
        let part = left.min(ZEROES.len() as u64);
        file.write_all(&ZEROES[..part as usize])?;
        left -= part;
    }
    Ok(file)
}
