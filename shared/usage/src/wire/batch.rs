//! Many records of one source as one message.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | `TKUB` |
//! | 4 | 2 | version, 1 |
//! | 6 | 2 | kind: 0 events, 1 close, 2 dropped |
//! | 8 | 16 | source |
//! | 24 | 8 | first sequence number |
//! | 32 | 8 | last sequence number |
//! | 40 | 4 | bytes in the body |
//! | 44 | 4 | CRC-32 of the body |
//! | 48 | 4 | CRC-32 of the 48 bytes before |
//! | 52 | … | body: for each record its length (2 bytes) and the record |
//!
//! The header has a checksum of its own, so that a message with a broken body still says reliably
//! which range it stood for. A *close* has no body: it says that the source will never give out a
//! number above `last`; its `first` is `last + 1`, an empty range. *Dropped* has no body either: it says
//! that no records are kept of the numbers from `first` to `last`, of which there may be any number.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;
use tollkeeper_domain::usage::UsageEvent;
use uuid::Uuid;

use super::record::{MAX_RECORD_BYTES, RecordError, at_micros, decode};

const MAGIC: [u8; 4] = *b"TKUB";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 52;
const SIGNED_BYTES: usize = 48;

/// The most records a reader accepts in one batch. Writers stay far below it.
pub const MAX_BATCH_RECORDS: usize = 10_000;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchKind {
    /// It carries events.
    Events,
    /// It names the source's final number.
    Close,
    /// It names events that were dropped.
    Dropped,
}

/// Whose events a message carries, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// What the message is for.
    pub kind: BatchKind,
    /// The source: one spool lane of one run.
    pub source: Uuid,
    /// The number of the first record; numbers start at 1.
    pub first: u64,
    /// The number of the last record. For a close, the final number of the source.
    pub last: u64,
}

/// Why a message is not a batch.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BatchError {
    /// The header itself cannot be trusted, so not even the range is known.
    #[error("the batch header is unreadable: {0}")]
    Header(&'static str),
    /// The header is sound, what follows is not.
    #[error("the body of the batch is unreadable: {problem}")]
    Body {
        /// The range the message stood for.
        header: BatchHeader,
        /// What is wrong.
        problem: &'static str,
    },
}

/// A message that was read. Records are found and counted, each is decoded on demand.
#[derive(Debug, Clone)]
pub struct Batch {
    header: BatchHeader,
    body: Bytes,
}

impl Batch {
    /// Reads a message.
    ///
    /// # Errors
    /// If header or body are not exactly what a writer made, down to the last bit.
    pub fn read(message: Bytes) -> Result<Self, BatchError> {
        let (header, body_len, body_crc) = read_header(&message).map_err(BatchError::Header)?;
        let body = message.slice(HEADER_BYTES..);
        let fail = |problem| BatchError::Body { header, problem };
        if body.len() != body_len {
            return Err(fail("its length is not the stated one"));
        }
        if crc32fast::hash(&body) != body_crc {
            return Err(fail("its checksum does not match"));
        }
        let expected = match header.kind {
            BatchKind::Events => header.len(),
            BatchKind::Close | BatchKind::Dropped => 0,
        };
        let mut found = 0;
        let mut rest = &body[..];
        while let Some((len, tail)) = rest.split_first_chunk() {
            let len = usize::from(u16::from_le_bytes(*len));
            if len > MAX_RECORD_BYTES {
                return Err(fail("a record is longer than any may be"));
            }
            let Some((_, tail)) = tail.split_at_checked(len) else {
                return Err(fail("its last record is cut"));
            };
            rest = tail;
            found += 1;
        }
        if !rest.is_empty() {
            return Err(fail("bytes follow its last record"));
        }
        if found != expected {
            return Err(fail("the number of records is not that of the range"));
        }
        Ok(Self { header, body })
    }

    /// Whose events these are.
    #[must_use]
    pub fn header(&self) -> BatchHeader {
        self.header
    }

    /// Each record with its number, its bytes and what they decode to.
    pub fn records(
        &self,
    ) -> impl Iterator<Item = (u64, &[u8], Result<UsageEvent<'_>, RecordError>)> {
        let numbered = (self.header.first..).zip(self.raw());
        numbered.map(|(number, record)| (number, record, decode(record)))
    }

    /// The time of each record that has one, without decoding the rest.
    pub fn times(&self) -> impl Iterator<Item = i64> {
        self.raw().filter_map(at_micros)
    }

    fn raw(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.body[..];
        std::iter::from_fn(move || {
            let (len, tail) = rest.split_first_chunk()?;
            let (record, tail) = tail.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
            rest = tail;
            Some(record)
        })
    }
}

impl BatchHeader {
    /// How many records the range holds.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.last + 1 - self.first).unwrap_or(usize::MAX)
    }

    /// Whether the range holds no record, as a close does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The message without a body.
    fn alone(&self) -> Bytes {
        Bytes::copy_from_slice(&self.write(0, crc32fast::hash(&[])))
    }

    fn write(&self, body_len: usize, body_crc: u32) -> [u8; HEADER_BYTES] {
        let kind: u16 = match self.kind {
            BatchKind::Events => 0,
            BatchKind::Close => 1,
            BatchKind::Dropped => 2,
        };
        let mut header = [0; HEADER_BYTES];
        header[0..4].copy_from_slice(&MAGIC);
        header[4..6].copy_from_slice(&VERSION.to_le_bytes());
        header[6..8].copy_from_slice(&kind.to_le_bytes());
        header[8..24].copy_from_slice(self.source.as_bytes());
        header[24..32].copy_from_slice(&self.first.to_le_bytes());
        header[32..40].copy_from_slice(&self.last.to_le_bytes());
        // A body is at most MAX_BATCH_RECORDS * (MAX_RECORD_BYTES + 2), well within 32 bits.
        header[40..44].copy_from_slice(&(body_len as u32).to_le_bytes());
        header[44..48].copy_from_slice(&body_crc.to_le_bytes());
        let crc = crc32fast::hash(&header[..SIGNED_BYTES]);
        header[SIGNED_BYTES..].copy_from_slice(&crc.to_le_bytes());
        header
    }
}

fn read_header(message: &[u8]) -> Result<(BatchHeader, usize, u32), &'static str> {
    let header: &[u8; HEADER_BYTES] = message.first_chunk().ok_or("it is too short")?;
    if header[0..4] != MAGIC {
        return Err("it does not begin with TKUB");
    }
    if crc32fast::hash(&header[..SIGNED_BYTES]) != word(header, SIGNED_BYTES) {
        return Err("its checksum does not match");
    }
    if u16::from_le_bytes([header[4], header[5]]) != VERSION {
        return Err("its version is unknown");
    }
    let kind = match u16::from_le_bytes([header[6], header[7]]) {
        0 => BatchKind::Events,
        1 => BatchKind::Close,
        2 => BatchKind::Dropped,
        _ => return Err("its kind is unknown"),
    };
    let mut source = [0; 16];
    source.copy_from_slice(&header[8..24]);
    let (first, last) = (double(header, 24), double(header, 32));
    // Postgres stores the numbers as signed integers.
    if first == 0 || last >= i64::MAX as u64 || first > last + 1 {
        return Err("its range is impossible");
    }
    let header_of = BatchHeader {
        kind,
        source: Uuid::from_bytes(source),
        first,
        last,
    };
    let fits = match kind {
        BatchKind::Events => (1..=MAX_BATCH_RECORDS).contains(&header_of.len()),
        BatchKind::Close => header_of.is_empty(),
        BatchKind::Dropped => !header_of.is_empty(),
    };
    if !fits {
        return Err("its range does not fit its kind");
    }
    Ok((header_of, word(header, 40) as usize, word(header, 44)))
}

fn word(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn double(bytes: &[u8; HEADER_BYTES], at: usize) -> u64 {
    u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32
}

/// Builds a message record by record.
#[derive(Debug)]
pub struct BatchBuilder {
    message: BytesMut,
    source: Uuid,
    first: u64,
    next: u64,
}

impl BatchBuilder {
    /// Begins a batch of `source` whose first record has the number `first`.
    #[must_use]
    pub fn new(source: Uuid, first: u64) -> Self {
        let mut message = BytesMut::with_capacity(4096);
        message.put_bytes(0, HEADER_BYTES);
        Self {
            message,
            source,
            first,
            next: first,
        }
    }

    /// Adds a record's bytes as they lie in the spool.
    pub fn push(&mut self, record: &[u8]) {
        debug_assert!(record.len() <= MAX_RECORD_BYTES);
        self.message.put_u16_le(record.len() as u16);
        self.message.put_slice(record);
        self.next += 1;
    }

    /// How many records it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.next - self.first) as usize
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.next == self.first
    }

    /// The message's bytes so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.message.len()
    }

    /// The finished message with its header and the CRC-32 of its body.
    ///
    /// # Panics
    /// If nothing was pushed: an empty batch stands for no range.
    #[must_use]
    pub fn finish(mut self) -> (BatchHeader, u32, Bytes) {
        assert!(!self.is_empty(), "a batch has at least one record");
        let header = BatchHeader {
            kind: BatchKind::Events,
            source: self.source,
            first: self.first,
            last: self.next - 1,
        };
        let crc = crc32fast::hash(&self.message[HEADER_BYTES..]);
        let bytes = header.write(self.message.len() - HEADER_BYTES, crc);
        self.message[..HEADER_BYTES].copy_from_slice(&bytes);
        (header, crc, self.message.freeze())
    }

    /// The message that closes `source` at its final number.
    #[must_use]
    pub fn close(source: Uuid, last: u64) -> (BatchHeader, Bytes) {
        let header = BatchHeader {
            kind: BatchKind::Close,
            source,
            first: last + 1,
            last,
        };
        (header, header.alone())
    }

    /// The message that reports the events of `source` from `first` to `last` as dropped.
    #[must_use]
    pub fn dropped(source: Uuid, first: u64, last: u64) -> (BatchHeader, Bytes) {
        let header = BatchHeader {
            kind: BatchKind::Dropped,
            source,
            first,
            last,
        };
        (header, header.alone())
    }
}
