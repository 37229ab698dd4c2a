//! Everything in memory, and the rules by which reads and events change it.
//!
//! Looking up takes one shard's read lock of the cache. Whatever changes anything (putting in a
//! read, taking in an event) holds `book`, one short lock, never across an await.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tollkeeper_domain::secret::SecretHash;

use crate::cache::{self, Known, Unknown};
use crate::config::EngineConfig;
use crate::entry::{Books, TokenEntry};
use crate::feed::{Change, FeedEvent, LogHead};
use crate::index::Index;
use crate::limits::store::Buckets;
use crate::quotas::store::Balances;
use crate::recent::{Recent, Subject};
use crate::source::Found;
use crate::standing::Evidence;
use crate::time::Moment;

/// After so many reads of a digest that messages alone put in doubt, the read stands: a flood of
/// forged messages must not keep a token from being read.
const PATIENCE_WITH_HEARSAY: u8 = 2;

/// What memory holds under a digest.
#[derive(Debug)]
pub(crate) enum Memory {
    Token(Arc<TokenEntry>),
    NoToken,
    Unread,
}

/// What came of putting a read into memory.
#[derive(Debug)]
pub(crate) enum Settled {
    Token(Arc<TokenEntry>),
    NoToken,
    /// Something was heard meanwhile that the read may not contain: read again.
    Outdated,
}

/// What had been heard when a read began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadMark {
    committed: u64,
    hearsay: u64,
    /// The position up to which the log had been applied.
    pub(crate) applied: u64,
}

/// How full memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUse {
    /// Digests with a token.
    pub entries: usize,
    /// Bytes they count for.
    pub bytes: u64,
    /// Bytes they may count for.
    pub max_bytes: u64,
    /// How many were forgotten to make room for others, since the start.
    pub evicted: u64,
    /// Tokens among them; fewer than entries while old secrets are in their grace.
    pub tokens: usize,
    /// Accounts among them.
    pub accounts: usize,
    /// Digests remembered as unknown.
    pub negative_entries: usize,
}

#[derive(Debug)]
struct Book {
    index: Index,
    committed: Recent,
    hearsay: Recent,
    applied: Option<LogHead>,
}

#[derive(Debug)]
pub(crate) struct Store {
    known: Known,
    unknown: Unknown,
    book: Mutex<Book>,
    evicted: AtomicU64,
    /// What was let through of limits: neither evicted with tokens nor cleared with them.
    pub(crate) buckets: Buckets,
    /// What was used of quotas, likewise.
    pub(crate) balances: Balances,
}

impl Store {
    pub(crate) fn new(config: &EngineConfig, began: Moment) -> Self {
        Self {
            buckets: Buckets::new(began.boot_nanos, config.spare_buckets),
            balances: Balances::new(config.spare_balances),
            known: cache::known(config.cache_bytes),
            unknown: cache::unknown(config.negative_entries),
            evicted: AtomicU64::new(0),
            book: Mutex::new(Book {
                index: Index::default(),
                committed: Recent::new(config.recent_events),
                hearsay: Recent::new(config.recent_events),
                applied: None,
            }),
        }
    }

    pub(crate) fn get(&self, digest: &SecretHash) -> Memory {
        if let Some(entry) = self.known.get(digest) {
            Memory::Token(entry)
        } else if self.unknown.get(digest).is_some() {
            Memory::NoToken
        } else {
            Memory::Unread
        }
    }

    /// Whether as many typical entries fit beside those that are known. A quarter stays free: the
    /// cache's parts do not fill evenly, and each pushes out for itself.
    pub(crate) fn has_room_for(&self, entries: usize) -> bool {
        let more = cache::TYPICAL_ENTRY_BYTES.saturating_mul(entries as u64);
        self.known.weight().saturating_add(more) <= self.known.capacity() / 4 * 3
    }

    /// How far the log has been applied; `None` before the first proof.
    pub(crate) fn applied(&self) -> Option<LogHead> {
        self.book.lock().applied
    }

    /// To be called before a read of the primary is sent.
    pub(crate) fn begin_read(&self) -> ReadMark {
        let book = self.book.lock();
        ReadMark {
            committed: book.committed.mark(),
            hearsay: book.hearsay.mark(),
            applied: book.applied.map_or(0, |head| head.position),
        }
    }

    /// Puts the result of one read into memory: for each digest asked for, with how often it was
    /// read before, what was found under it.
    pub(crate) fn settle(
        &self,
        mark: ReadMark,
        asked: &[(SecretHash, u8)],
        now: Moment,
        mut found: impl FnMut(&SecretHash) -> Option<Found>,
    ) -> Vec<Settled> {
        let mut evicted = Vec::new();
        let books = Books {
            buckets: &self.buckets,
            balances: &self.balances,
            ticks: self.buckets.ticks(now.boot_nanos),
            wall_micros: now.wall_micros,
        };
        let mut book = self.book.lock();
        let settled = asked
            .iter()
            .map(|(digest, reads)| match found(digest) {
                Some(found) => {
                    let read = (mark, *reads);
                    self.settle_token(&mut book, read, found, books, &mut evicted)
                }
                None => self.settle_nothing(&mut book, mark, *reads, digest),
            })
            .collect();
        drop(book);
        settled
    }

    fn settle_token(
        &self,
        book: &mut Book,
        (mark, reads): (ReadMark, u8),
        found: Found,
        books: Books<'_>,
        evicted: &mut Vec<Arc<TokenEntry>>,
    ) -> Settled {
        let subjects = [
            Subject::Token(found.token.token_id),
            Subject::Account(found.account.account_id),
        ];
        if book.heard_of(&subjects, mark, reads) {
            return Settled::Outdated;
        }
        let siblings = book.index.entries(found.token.token_id);
        let newest = siblings.iter().map(|entry| entry.standing.version()).max();
        let account = book.index.account_for(&found.account);
        if newest.is_some_and(|newest| newest > found.token.version)
            || account.standing.version() > found.account.version
        {
            return Settled::Outdated;
        }
        for sibling in siblings {
            if sibling.standing.version() < found.token.version && sibling.digest != found.digest {
                sibling.standing.outdate();
            }
        }
        account.renew(&found.account, books);
        let (digest, token) = (found.digest, found.token);
        let entry = Arc::new(TokenEntry::new(digest, token, account, books));
        book.index.add(&entry);
        self.unknown.remove(&found.digest);
        let before = evicted.len();
        self.known
            .insert_with_lifecycle(found.digest, Arc::clone(&entry), evicted);
        for gone in &evicted[before..] {
            book.index.remove(gone);
            // What is replaced comes out, too.
            let made_room = u64::from(gone.digest != entry.digest);
            self.evicted.fetch_add(made_room, Ordering::Relaxed);
        }
        Settled::Token(entry)
    }

    fn settle_nothing(
        &self,
        book: &mut Book,
        mark: ReadMark,
        reads: u8,
        digest: &SecretHash,
    ) -> Settled {
        let subjects = [Subject::Secret(*digest), Subject::AnySecret];
        if book.heard_of(&subjects, mark, reads) {
            return Settled::Outdated;
        }
        if let Some((_, gone)) = self.known.remove(digest) {
            book.index.remove(&gone);
        }
        self.unknown.insert(*digest, ());
        Settled::NoToken
    }

    /// Takes in an event. Only ever denies, or asks for a read.
    pub(crate) fn hear(&self, event: &FeedEvent, evidence: Evidence) {
        self.hear_in(&mut self.book.lock(), event, evidence);
    }

    /// Takes in the next event of the log. The caller has checked that it is the next.
    pub(crate) fn apply(&self, event: &FeedEvent, head: LogHead) {
        let mut book = self.book.lock();
        self.hear_in(&mut book, event, Evidence::Committed);
        book.applied = Some(head);
    }

    /// There are new secrets, and nobody has said which: nothing that was unknown is known to be so
    /// any more, nor is what a read under way does not find.
    pub(crate) fn doubt_absences(&self) {
        let mut book = self.book.lock();
        book.committed.push(Subject::AnySecret);
        self.unknown.clear();
    }

    fn hear_in(&self, book: &mut Book, event: &FeedEvent, evidence: Evidence) {
        let Book {
            index,
            committed,
            hearsay,
            ..
        } = book;
        let recent = match evidence {
            Evidence::Committed => committed,
            Evidence::Hearsay => hearsay,
        };
        match &event.change {
            Change::Token {
                id,
                effect,
                secrets,
            } => {
                recent.push(Subject::Token(*id));
                for digest in secrets {
                    recent.push(Subject::Secret(*digest));
                    self.unknown.remove(digest);
                }
                for entry in index.entries(*id) {
                    entry.standing.tighten(*effect, event.version, evidence);
                }
            }
            Change::Account { id, effect } => {
                recent.push(Subject::Account(*id));
                if let Some(account) = index.account(*id) {
                    account.standing.tighten(*effect, event.version, evidence);
                }
            }
            Change::Unrelated => {}
        }
    }

    /// Forgets everything, refuses every read under way, and goes on from `head`.
    pub(crate) fn restart(&self, head: LogHead) {
        let mut book = self.book.lock();
        self.known.clear();
        self.unknown.clear();
        let index = std::mem::take(&mut book.index);
        book.committed.forget();
        book.hearsay.forget();
        book.applied = Some(head);
        drop(book);
        // A million entries take a while to free: not under the lock.
        drop(index);
    }

    pub(crate) fn memory_use(&self) -> MemoryUse {
        let (tokens, accounts) = self.book.lock().index.sizes();
        MemoryUse {
            entries: self.known.len(),
            bytes: self.known.weight(),
            max_bytes: self.known.capacity(),
            evicted: self.evicted.load(Ordering::Relaxed),
            tokens,
            accounts,
            negative_entries: self.unknown.len(),
        }
    }
}

impl Book {
    /// Whether a read that began at `mark` may lack something heard of one of these.
    fn heard_of(&self, subjects: &[Subject], mark: ReadMark, reads: u8) -> bool {
        if !self.committed.reaches(mark.committed) {
            return true;
        }
        let doubt = reads < PATIENCE_WITH_HEARSAY;
        subjects.iter().any(|subject| {
            self.committed.names(*subject, mark.committed)
                || (doubt && self.hearsay.names(*subject, mark.hearsay))
        })
    }
}
