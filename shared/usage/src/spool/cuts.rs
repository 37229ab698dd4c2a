//! How a segment was cut into batches.
//!
//! A cut is written here before its batch is published for the first time, and never changed: after
//! a crash the same numbers travel in the same batches, so the ledger recognises what it has already
//! counted. A batch never spans two segments, so a segment and its cuts are deleted together.
//!
//! Nothing is flushed to the disk by force. A killed process loses nothing that it wrote; after a
//! power loss the cuts may be missing, and what the broker had not acknowledged is cut anew.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The size of one entry: first, last (8 bytes each), CRC-32 of the batch's body, CRC-32 of the
/// entry so far.
pub(super) const CUT_BYTES: u64 = 24;

/// One batch of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) first: u64,
    pub(super) last: u64,
    /// CRC-32 of the batch's body, to notice records that did not survive a power loss.
    pub(super) checksum: u32,
}

/// The cuts of one segment, appended to in order.
#[derive(Debug)]
pub(super) struct CutFile {
    file: File,
    entries: u64,
}

impl CutFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        Ok(Self { file, entries: 0 })
    }

    /// Reads what is there, up to the first entry that is empty or torn, and goes on behind it.
    pub(super) fn load(&mut self) -> io::Result<Vec<Cut>> {
        let mut cuts = Vec::new();
        let mut entry = [0; CUT_BYTES as usize];
        let entries = self.file.metadata()?.len() / CUT_BYTES;
        while (cuts.len() as u64) < entries {
            self.file
                .read_exact_at(&mut entry, cuts.len() as u64 * CUT_BYTES)?;
            let Some(cut) = Cut::from_bytes(&entry) else {
                break;
            };
            cuts.push(cut);
        }
        self.entries = cuts.len() as u64;
        Ok(cuts)
    }

    /// Adds a cut. Beyond the reserved length this may meet a full disk.
    pub(super) fn append(&mut self, cut: Cut) -> io::Result<()> {
        self.file
            .write_all_at(&cut.to_bytes(), self.entries * CUT_BYTES)?;
        self.entries += 1;
        Ok(())
    }
}

impl Cut {
    /// How many records the batch has.
    pub(super) fn len(&self) -> usize {
        (self.last + 1 - self.first) as usize
    }

    fn to_bytes(self) -> [u8; CUT_BYTES as usize] {
        let mut entry = [0; CUT_BYTES as usize];
        entry[0..8].copy_from_slice(&self.first.to_le_bytes());
        entry[8..16].copy_from_slice(&self.last.to_le_bytes());
        entry[16..20].copy_from_slice(&self.checksum.to_le_bytes());
        let crc = crc32fast::hash(&entry[..20]);
        entry[20..].copy_from_slice(&crc.to_le_bytes());
        entry
    }

    fn from_bytes(entry: &[u8; CUT_BYTES as usize]) -> Option<Self> {
        let long = |at: usize| {
            entry[at..]
                .first_chunk()
                .map(|raw| u64::from_le_bytes(*raw))
        };
        let word = |at: usize| {
            entry[at..]
                .first_chunk()
                .map(|raw| u32::from_le_bytes(*raw))
        };
        let cut = Self {
            first: long(0)?,
            last: long(8)?,
            checksum: word(16)?,
        };
        let sound = crc32fast::hash(&entry[..20]) == word(20)?;
        (sound && cut.first >= 1 && cut.first <= cut.last).then_some(cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(first: u64) -> Cut {
        Cut {
            first,
            last: first + 9,
            checksum: 7,
        }
    }

    #[test]
    fn cuts_come_back_in_order_up_to_a_torn_one_and_go_on_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cuts");
        std::fs::write(&path, [0; 10 * CUT_BYTES as usize]).unwrap();
        let mut file = CutFile::open(&path).unwrap();
        assert_eq!(file.load().unwrap(), []);
        for first in [1, 11, 21] {
            file.append(cut(first)).unwrap();
        }
        file.file.write_all_at(&[0xff], 2 * CUT_BYTES + 3).unwrap();

        let mut file = CutFile::open(&path).unwrap();
        assert_eq!(file.load().unwrap(), [cut(1), cut(11)]);
        file.append(cut(21)).unwrap();
        assert_eq!(CutFile::open(&path).unwrap().load().unwrap().len(), 3);
    }

    #[test]
    fn more_cuts_than_reserved_extend_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = CutFile::open(&folder.path().join("a.cuts")).unwrap();
        file.append(cut(1)).unwrap();
        file.append(cut(11)).unwrap();
        assert_eq!(file.load().unwrap().len(), 2);
    }
}
