//! Leaked tokens, as reported by a partner that scans for secrets: ours are ended or suspended.
//!
//! The report is the one that GitHub's secret scanning partner programme sends, signed with ECDSA on
//! P-256 over the bytes of the body. Nothing is read of a report before its signature has been
//! checked, and no answer, event or log line holds a token.

pub mod keys;
mod payload;
pub(crate) mod report;

/// The largest report, in bytes.
pub(crate) const MAX_REPORT_BYTES: usize = 1024 * 1024;
