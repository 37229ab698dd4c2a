//! Whether a token or an account may work, as far as is known: what a read found, tightened by what
//! was heard since.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tollkeeper_domain::{account, token};

use crate::feed::Effect;

const SUSPENDED: u32 = 1;
const ENDED: u32 = 1 << 1;
/// The log says that it changed: what is known here is wrong.
const OUTDATED: u32 = 1 << 2;
/// A message says that it changed, which may be a lie.
const HINTED: u32 = 1 << 3;
const HINTED_SUSPENDED: u32 = 1 << 4;
const HINTED_ENDED: u32 = 1 << 5;

/// How much an event is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// It was read from the log, or this process committed it.
    Committed,
    /// It came by message, from whoever can send one.
    Hearsay,
}

/// Atomic bits that events only ever tighten; only a read of the primary loosens.
///
/// Writers hold the store's lock; readers hold nothing.
#[derive(Debug)]
pub(crate) struct Standing {
    bits: AtomicU32,
    version: AtomicU64,
}

/// [`Standing`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(u32);

impl Standing {
    /// The standing that a read found.
    pub(crate) fn new(found: Snapshot, version: u64) -> Self {
        Self {
            bits: AtomicU32::new(found.0),
            version: AtomicU64::new(version),
        }
    }

    pub(crate) fn get(&self) -> Snapshot {
        Snapshot(self.bits.load(Ordering::Acquire))
    }

    /// The version of the last event that is known here.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Takes in an event, unless it is older than what is known.
    pub(crate) fn tighten(&self, effect: Effect, version: u64, evidence: Evidence) {
        if version <= self.version() {
            return;
        }
        let bits = match (evidence, effect) {
            (Evidence::Committed, Effect::Ended) => ENDED,
            (Evidence::Committed, Effect::Suspended) => SUSPENDED,
            (Evidence::Committed, Effect::Changed) => OUTDATED,
            (Evidence::Hearsay, Effect::Ended) => HINTED | HINTED_ENDED,
            (Evidence::Hearsay, Effect::Suspended) => HINTED | HINTED_SUSPENDED,
            (Evidence::Hearsay, Effect::Changed) => HINTED,
            (Evidence::Committed, Effect::Noted) => return self.note(version),
            (Evidence::Hearsay, Effect::Noted) => return,
        };
        self.bits.fetch_or(bits, Ordering::AcqRel);
        // A change is known only once it has been read, and a message proves no version.
        if matches!(bits, ENDED | SUSPENDED) {
            self.version.store(version, Ordering::Release);
        }
    }

    /// Takes over a version that brought nothing else, if it is the next one: to skip one would be
    /// to take its event for old news when it comes. The next read knows better in any case.
    fn note(&self, version: u64) {
        if version == self.version() + 1 && !self.get().must_read() {
            self.version.store(version, Ordering::Release);
        }
    }

    /// Marks what is known as wrong, whatever its version.
    pub(crate) fn outdate(&self) {
        self.bits.fetch_or(OUTDATED, Ordering::AcqRel);
    }

    /// Replaces what is known by what a read found that began after all marks were made.
    pub(crate) fn renew(&self, found: Snapshot, version: u64) {
        self.version.store(version, Ordering::Release);
        self.bits.store(found.0, Ordering::Release);
    }
}

impl Snapshot {
    /// Revoked or deleted, and certainly so.
    pub(crate) const fn is_ended(self) -> bool {
        self.0 & ENDED != 0
    }

    /// Suspended, and certainly so.
    pub(crate) const fn is_suspended(self) -> bool {
        self.0 & SUSPENDED != 0
    }

    /// The primary must be read before this is used.
    pub(crate) const fn must_read(self) -> bool {
        self.0 & (OUTDATED | HINTED) != 0
    }

    /// Known to be wrong, not merely said to be.
    pub(crate) const fn is_outdated(self) -> bool {
        self.0 & OUTDATED != 0
    }

    /// The same with messages believed as far as they deny: for when the primary cannot be asked.
    pub(crate) const fn believing_hints(self) -> Self {
        let mut bits = self.0;
        if bits & HINTED_ENDED != 0 {
            bits |= ENDED;
        }
        if bits & HINTED_SUSPENDED != 0 {
            bits |= SUSPENDED;
        }
        Self(bits)
    }
}

impl From<token::Lifecycle> for Snapshot {
    fn from(lifecycle: token::Lifecycle) -> Self {
        Self(match lifecycle {
            token::Lifecycle::Active => 0,
            token::Lifecycle::Suspended => SUSPENDED,
            token::Lifecycle::Revoked => ENDED,
        })
    }
}

impl From<account::Lifecycle> for Snapshot {
    fn from(lifecycle: account::Lifecycle) -> Self {
        Self(match lifecycle {
            account::Lifecycle::Active => 0,
            account::Lifecycle::Suspended => SUSPENDED,
            account::Lifecycle::Deleted => ENDED,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn active(version: u64) -> Standing {
        Standing::new(Snapshot::from(token::Lifecycle::Active), version)
    }

    #[test]
    fn old_news_changes_nothing() {
        let standing = active(3);
        standing.tighten(Effect::Ended, 3, Evidence::Committed);
        standing.tighten(Effect::Suspended, 2, Evidence::Hearsay);
        assert_eq!(standing.get(), Snapshot(0));
    }

    #[test]
    fn committed_events_deny_and_messages_only_ask_for_a_read() {
        let standing = active(3);
        standing.tighten(Effect::Ended, 9, Evidence::Hearsay);
        let heard = standing.get();
        assert!(heard.must_read() && !heard.is_outdated() && !heard.is_ended());
        assert!(heard.believing_hints().is_ended());
        assert_eq!(standing.version(), 3, "a message proves no version");

        standing.tighten(Effect::Ended, 4, Evidence::Committed);
        assert!(standing.get().is_ended());
        assert_eq!(standing.version(), 4);
    }

    #[test]
    fn a_note_moves_the_version_and_hides_no_event() {
        let standing = active(3);
        standing.tighten(Effect::Noted, 4, Evidence::Hearsay);
        assert_eq!(standing.version(), 3, "a message proves no version");
        standing.tighten(Effect::Noted, 4, Evidence::Committed);
        assert_eq!((standing.version(), standing.get()), (4, Snapshot(0)));
        // The event between was not heard yet: it must still count when it is.
        standing.tighten(Effect::Noted, 6, Evidence::Committed);
        assert_eq!(standing.version(), 4);
        standing.tighten(Effect::Ended, 5, Evidence::Committed);
        assert!(standing.get().is_ended());

        let outdated = active(3);
        outdated.tighten(Effect::Changed, 4, Evidence::Committed);
        outdated.tighten(Effect::Noted, 4, Evidence::Committed);
        assert!(outdated.version() == 3 && outdated.get().must_read());
    }

    #[test]
    fn no_event_loosens() {
        let standing = active(1);
        standing.tighten(Effect::Suspended, 2, Evidence::Committed);
        standing.tighten(Effect::Changed, 3, Evidence::Committed);
        let after = standing.get();
        assert!(after.is_suspended() && after.must_read());
        standing.renew(Snapshot::from(token::Lifecycle::Active), 3);
        assert_eq!(standing.get(), Snapshot(0));
    }
}
