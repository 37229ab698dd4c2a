//! The one place that touches mapped memory.
//!
//! A segment file is a header of [`HEADER_BYTES`] and then slots. A slot is a length word (4 bytes),
//! the CRC-32 of the payload (4 bytes) and the payload, padded to 8 bytes. The file is zeroed before
//! use, so a length word of zero means "nothing here yet". The writer fills a slot completely and
//! stores the length word last, with release ordering; whoever reads a length with acquire ordering
//! sees the whole record. So one writer and any number of readers need no lock between them, and a
//! process that is killed in the middle of a slot leaves a zero length behind, not half a record.
//!
//! This must stay small: everything outside is safe code.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use memmap2::{Advice, MmapOptions, MmapRaw};

/// Bytes before the first slot.
pub(super) const HEADER_BYTES: usize = 64;
/// Where in the header the number of the segment's first record stands; zero until it has one.
pub(super) const FIRST_SEQUENCE_AT: usize = 16;
const SLOT_HEADER_BYTES: usize = 8;
/// Stored in place of a length: no record follows in this segment.
const SEALED: u32 = u32::MAX;

/// A mapped segment file.
#[derive(Debug)]
pub(super) struct Region {
    map: MmapRaw,
    has_writer: AtomicBool,
}

/// One word of a file, mapped.
#[derive(Debug)]
pub(super) struct Word {
    map: MmapRaw,
    at: usize,
}

impl Word {
    /// Maps the word at `at`, a multiple of 8. Nobody may shorten the file while it is mapped.
    pub(super) fn map(file: &File, at: usize) -> io::Result<Self> {
        let map = MmapOptions::new().populate().map_raw(file)?;
        if !at.is_multiple_of(8) || at + 8 > map.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a file of impossible length",
            ));
        }
        Ok(Self { map, at })
    }

    pub(super) fn store(&self, number: u64) {
        // SAFETY: checked when it was mapped to be in bounds and aligned; the map lives as long as
        // `self`, and the word is only ever accessed through this atomic.
        let word = unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(self.at).cast()) };
        word.store(number, Ordering::Release);
    }
}

/// What stands at a reader's position.
#[derive(Debug)]
pub(super) enum Slot<'a> {
    /// A whole record whose checksum is right; the reader has moved past it.
    Record(&'a [u8]),
    /// Nothing yet.
    Empty,
    /// The writer has left this segment for the next one.
    Sealed,
    /// Bytes that no writer of ours left behind in this order: the rest is not to be trusted.
    Torn,
}

impl Region {
    /// Maps the whole file for a writer, with every page ready to be written to: the writer meets no page
    /// faults, in each of which the file system may wait for its journal. The file must have its final
    /// length, a multiple of 8, and nobody may shorten it while it is mapped; the folder's lock keeps
    /// other spools away.
    pub(super) fn map_for_writer(file: &File) -> io::Result<Arc<Self>> {
        let region = Self::map(file)?;
        // Of a mapping that is shared, MAP_POPULATE makes pages ready for reading alone.
        match region.map.advise(Advice::PopulateWrite) {
            // Linux before 5.14 does not know this; there the writer meets the faults.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(region),
            ready => ready.map(|()| region),
        }
    }

    /// Maps the whole file for those who read it, under the same conditions.
    pub(super) fn map(file: &File) -> io::Result<Arc<Self>> {
        let map = MmapOptions::new().populate().map_raw(file)?;
        if map.len() < HEADER_BYTES + SLOT_HEADER_BYTES || !map.len().is_multiple_of(8) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a segment file of impossible length",
            ));
        }
        Ok(Arc::new(Self {
            map,
            has_writer: AtomicBool::new(false),
        }))
    }

    /// The number of the first record, zero if the segment was never begun.
    pub(super) fn first_sequence(&self) -> u64 {
        self.first_sequence_word().load(Ordering::Acquire)
    }

    fn first_sequence_word(&self) -> &AtomicU64 {
        // SAFETY: the map is page-aligned, lives as long as `self` and is longer than the header, so
        // this is 8 valid, aligned bytes; they are only ever accessed through this atomic.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(FIRST_SEQUENCE_AT).cast()) }
    }

    fn length_word(&self, at: usize) -> Option<&AtomicU32> {
        if !at.is_multiple_of(8) || at < HEADER_BYTES || at + SLOT_HEADER_BYTES > self.map.len() {
            return None;
        }
        // SAFETY: checked above to be in bounds and aligned; the map lives as long as `self`. Length
        // words are only accessed as atomics: writer and readers step through the same slots.
        Some(unsafe { AtomicU32::from_ptr(self.map.as_mut_ptr().add(at).cast()) })
    }

    /// The segment's only writer, positioned at its start. `None` the second time.
    pub(super) fn writer(self: &Arc<Self>, first_sequence: u64) -> Option<Writer> {
        if self.has_writer.swap(true, Ordering::AcqRel) {
            return None;
        }
        self.first_sequence_word()
            .store(first_sequence, Ordering::Release);
        Some(Writer {
            region: Arc::clone(self),
            at: HEADER_BYTES,
        })
    }

    /// A reader at the start of the segment.
    pub(super) fn reader(self: &Arc<Self>) -> Reader {
        Reader {
            region: Arc::clone(self),
            at: HEADER_BYTES,
        }
    }
}

/// Appends to a segment. There is one for each region, and it only moves forward.
#[derive(Debug)]
pub(super) struct Writer {
    region: Arc<Region>,
    at: usize,
}

impl Writer {
    /// Appends a record of `len` bytes that `fill` writes. `false`, with nothing changed, if there is
    /// no room for it and the mark that seals the segment.
    #[inline]
    pub(super) fn append(&mut self, len: usize, fill: impl FnOnce(&mut [u8])) -> bool {
        let end = self.at + SLOT_HEADER_BYTES + len.next_multiple_of(8);
        if end + SLOT_HEADER_BYTES > self.region.map.len() {
            return false;
        }
        // SAFETY: `len` bytes from here lie inside the map, by the check above. They belong to a slot
        // whose length word is still zero, so no reader looks at them, and this writer, borrowed
        // mutably, is the region's only one. The bytes are initialised: the file was zeroed.
        let payload = unsafe {
            let start = self
                .region
                .map
                .as_mut_ptr()
                .add(self.at + SLOT_HEADER_BYTES);
            std::slice::from_raw_parts_mut(start, len)
        };
        fill(payload);
        let crc = crc32fast::hash(payload);
        // SAFETY: in bounds and aligned like the length word before it; readers look at it only after
        // they have seen the length word.
        unsafe {
            let place = self.region.map.as_mut_ptr().add(self.at + 4).cast::<u32>();
            place.write(crc);
        }
        self.publish(len as u32);
        self.at = end;
        true
    }

    /// Marks that no record follows in this segment.
    pub(super) fn seal(self) {
        self.publish(SEALED);
    }

    fn publish(&self, word: u32) {
        if let Some(place) = self.region.length_word(self.at) {
            place.store(word, Ordering::Release);
        }
    }
}

/// Reads a segment from its start, slot by slot. It cannot be placed anywhere else, so it only ever
/// looks at true slot borders and at bytes that were published.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    region: Arc<Region>,
    at: usize,
}

impl Reader {
    /// What stands at the position; moves on past a record.
    pub(super) fn next(&mut self, max_len: usize) -> Slot<'_> {
        let Some(word) = self.region.length_word(self.at) else {
            return Slot::Torn;
        };
        let len = match word.load(Ordering::Acquire) {
            0 => return Slot::Empty,
            SEALED => return Slot::Sealed,
            len => len as usize,
        };
        let end = self.at + SLOT_HEADER_BYTES + len.next_multiple_of(8);
        if len > max_len || end + SLOT_HEADER_BYTES > self.region.map.len() {
            return Slot::Torn;
        }
        // SAFETY: in bounds by the check above. The length word was published, after which the writer
        // never touches these bytes again, so they may be shared.
        let (crc, payload) = unsafe {
            let start = self.region.map.as_ptr().add(self.at + 4);
            (
                start.cast::<u32>().read(),
                std::slice::from_raw_parts(start.add(4), len),
            )
        };
        if crc32fast::hash(payload) != crc {
            return Slot::Torn;
        }
        self.at = end;
        Slot::Record(payload)
    }
}
