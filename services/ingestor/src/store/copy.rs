//! Rows in the binary format of `COPY` (PostgreSQL manual, "COPY", section "Binary Format"), whose
//! fields are in the format of each type's `send` function.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// The signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// In place of a row's number of fields.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// In place of a field's length.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();
/// 2000-01-01, where Postgres' time begins, in microseconds of Unix time.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;
/// Rows are sent by about this many bytes, so that Postgres is at the first ones while the next are
/// written.
const CHUNK: usize = 64 << 10;

/// Runs `statement`, which is a `COPY … FROM STDIN WITH (FORMAT binary)`, with what `write` makes of each
/// item: one row.
///
/// # Errors
/// What Postgres says of the statement or of a row.
pub(super) async fn copy<T>(
    connection: &mut PgConnection,
    statement: &str,
    items: &[T],
    write: impl Fn(&mut Row<'_>, &T),
) -> Result<(), sqlx::Error> {
    let mut copy = connection.copy_in_raw(statement).await?;
    let mut bytes = Vec::with_capacity(CHUNK + CHUNK / 8);
    bytes.extend_from_slice(HEADER);
    for item in items {
        Row::write(&mut bytes, |row| write(row, item));
        if bytes.len() >= CHUNK {
            copy.send(&*bytes).await?;
            bytes.clear();
        }
    }
    bytes.extend_from_slice(&TRAILER);
    copy.send(&*bytes).await?;
    copy.finish().await?;
    Ok(())
}

/// A row that is being written, field by field in the order of the statement's columns.
pub(super) struct Row<'a> {
    bytes: &'a mut Vec<u8>,
    fields: i16,
}

impl Row<'_> {
    fn write(bytes: &mut Vec<u8>, fields: impl FnOnce(&mut Row<'_>)) {
        let start = bytes.len();
        bytes.extend_from_slice(&[0; 2]);
        let mut row = Row { bytes, fields: 0 };
        fields(&mut row);
        let count = row.fields.to_be_bytes();
        bytes[start..start + 2].copy_from_slice(&count);
    }

    fn field(&mut self, value: &[u8]) {
        self.fields += 1;
        // What does not fit would be a gigabyte; a record has a few hundred bytes.
        let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
    }

    fn null(&mut self) {
        self.fields += 1;
        self.bytes.extend_from_slice(&NULL);
    }

    /// `uuid`.
    pub(super) fn uuid(&mut self, value: Uuid) {
        self.field(value.as_bytes());
    }

    /// `timestamptz`, to the microsecond.
    pub(super) fn time(&mut self, value: DateTime<Utc>) {
        self.bigint(value.timestamp_micros() - POSTGRES_EPOCH);
    }

    /// `bigint`.
    pub(super) fn bigint(&mut self, value: i64) {
        self.field(&value.to_be_bytes());
    }

    /// `smallint`.
    pub(super) fn smallint(&mut self, value: i16) {
        self.field(&value.to_be_bytes());
    }

    /// `boolean`.
    pub(super) fn boolean(&mut self, value: bool) {
        self.field(&[value.into()]);
    }

    /// `text`.
    pub(super) fn text(&mut self, value: &str) {
        self.field(value.as_bytes());
    }

    /// `text`, or null.
    pub(super) fn text_or_null(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    /// `inet`, of one host, or null.
    pub(super) fn address(&mut self, value: Option<IpAddr>) {
        // The family, the bits of the network, not a `cidr`, the length of the address.
        match value {
            None => self.null(),
            Some(IpAddr::V4(address)) => {
                let mut field = [2, 32, 0, 4, 0, 0, 0, 0];
                field[4..].copy_from_slice(&address.octets());
                self.field(&field);
            }
            Some(IpAddr::V6(address)) => {
                let mut field = [0; 20];
                field[..4].copy_from_slice(&[3, 128, 0, 16]);
                field[4..].copy_from_slice(&address.octets());
                self.field(&field);
            }
        }
    }
}
