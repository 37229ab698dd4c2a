//! The spool: usage events on their way out, kept in memory-mapped files.
//!
//! [`Spool::append`] is the only part of usage on the request path. It writes into mapped memory and
//! returns: no await, no system call, no cache line shared between cores. The kernel owns the pages,
//! so an appended event survives `kill -9` of the process. Everything slow happens elsewhere: a
//! thread keeps segments ready (`prepare`), the publisher reads behind the writers (`tail`) and
//! deletes what the ledger covers.
//!
//! One exception: a lane that has used up the segments made ahead before the thread could make more
//! has one request make a small one (`prepare::SMALL_BYTES`), as dropping events while there is room
//! would be worse. That takes some system calls, and as long as the disk takes to accept so many
//! zeroes.
//!
//! Where there is no room, an event is dropped or refused, as [`FullPolicy`] says. A dropped one takes
//! a number like any other: the numbers of which there is no record are reported.
//!
//! The spool must never wait for the disk to be flushed, and never delete by itself what is not
//! settled.

mod budget;
mod cuts;
mod cutting;
mod folder;
mod lane;
mod map;
mod mark;
mod origins;
mod prepare;
mod recover;
mod segment;
mod settings;
mod stats;
pub(crate) mod tail;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tollkeeper_ambient::{SharedClock, SharedEntropy};
use tollkeeper_domain::usage::UsageEvent;
use uuid::Uuid;

pub use self::origins::{Origins, Place};
pub use self::settings::{FullPolicy, SpoolError, SpoolFull, SpoolSettings};
pub use self::stats::SpoolStats;

use self::folder::Folder;
use self::lane::{Lane, LaneShared, NoRoom, Padded};
use self::prepare::{Preparer, Workshop};
use self::stats::Counters;
use self::tail::Tail;
use crate::{Scrubber, text, wire};

/// An open spool. Cheap to share; every thread may append.
pub struct Spool {
    lanes: Box<[Padded<Lane>]>,
    full_policy: FullPolicy,
    scrubber: Scrubber,
    workshop: Arc<Workshop>,
    counters: Counters,
    origins: Origins,
    clock: SharedClock,
    /// Lanes of earlier runs, until the publisher takes them over.
    recovered: parking_lot::Mutex<Option<Vec<Tail>>>,
    _preparer: Preparer,
    folder: Folder,
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Spool {
    /// Opens the spool in its folder, finds what earlier runs left behind, and begins a new source
    /// for each lane.
    ///
    /// # Errors
    /// If the settings are impossible, another process holds the folder, or the disk refuses. A
    /// full one does not: the spool opens, and its policy holds until the ledger makes room.
    pub fn open(
        settings: SpoolSettings,
        clock: SharedClock,
        entropy: SharedEntropy,
    ) -> Result<Arc<Self>, SpoolError> {
        let segment_bytes = settings.effective_segment_bytes()?;
        let folder = Folder::lock(&settings.dir)?;
        let workshop = Arc::new(Workshop::new(&settings, segment_bytes));
        let recovered = recover::lanes(&folder, &workshop)?;
        let mut lanes = Vec::with_capacity(settings.lanes);
        for _ in 0..settings.lanes {
            let source = entropy.uuid_v7(clock.now());
            let shared = LaneShared::new(source, folder.lane(source));
            workshop.add_lane(&shared)?;
            lanes.push(Padded(Lane::begin(shared)));
        }
        let preparer = workshop
            .start()
            .map_err(SpoolError::io("cannot start the thread of", &settings.dir))?;
        Ok(Arc::new(Self {
            counters: Counters::new(lanes.len()),
            origins: Origins::default(),
            lanes: lanes.into(),
            full_policy: settings.full_policy,
            scrubber: settings.scrubber,
            workshop,
            clock,
            recovered: parking_lot::Mutex::new(Some(recovered)),
            _preparer: preparer,
            folder,
        }))
    }

    /// Appends one event. Its texts are cut, stripped of the query and scrubbed of tokens on the way.
    /// When this returns `Ok`, the event survives the process.
    ///
    /// # Errors
    /// If the spool is full and set to refuse. Set to drop, the event will be reported as dropped and
    /// the result is `Ok`.
    pub fn append(&self, event: &UsageEvent<'_>) -> Result<(), SpoolFull> {
        self.append_traced(event).map(drop)
    }

    /// As [`append`](Self::append), and tells where the event came to stand; nowhere if it was dropped.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_traced(&self, event: &UsageEvent<'_>) -> Result<Option<Place>, SpoolFull> {
        let endpoint = self.scrubber.scrub(text::path(event.endpoint));
        let user_agent = self.scrubber.scrub(event.user_agent);
        let request_id = self.scrubber.scrub(event.request_id);
        let event = UsageEvent {
            endpoint: &endpoint,
            user_agent: &user_agent,
            request_id: &request_id,
            ..*event
        };
        let len = wire::encoded_len(&event);
        let place = thread_ordinal() % self.lanes.len();
        let lane = &self.lanes[place].0;
        let fill = |slot: &mut [u8]| wire::encode(&event, slot);
        let outcome = loop {
            match lane.append(len, fill) {
                // Only when segments were used up faster than they are made ahead: see above. Another
                // thread of this lane may fill the new one first, hence again.
                Err(NoRoom::Segment) if self.workshop.make_now(&lane.shared) => {}
                outcome => break outcome,
            }
        };
        let outcome = match (outcome, self.full_policy) {
            // There may be room by now: the two belong together.
            (Err(NoRoom::Segment), FullPolicy::Drop) => lane.append_or_drop(len, fill),
            (outcome, _) => outcome,
        };
        match (outcome, self.full_policy) {
            (Ok(appended), _) => {
                if appended.turned {
                    self.workshop.wake();
                }
                Ok(Some(Place {
                    source: lane.shared.source,
                    number: appended.number,
                }))
            }
            (Err(NoRoom::Segment), FullPolicy::Drop) => Ok(None),
            (Err(NoRoom::Segment), FullPolicy::Refuse) => {
                self.counters.count_refused(place);
                Err(SpoolFull)
            }
        }
    }

    /// Whether there is no room and the policy is to refuse, for those who can only append when the
    /// work is done. Says so a little earlier than [`append`](Self::append), which uses up the
    /// segments that are there.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.full_policy == FullPolicy::Refuse && self.workshop.is_exhausted()
    }

    /// The sources under which this run's events are counted, one for each lane.
    #[must_use]
    pub fn sources(&self) -> Vec<Uuid> {
        let lanes = self.lanes.iter();
        lanes.map(|lane| lane.0.shared.source).collect()
    }

    /// The last number that each of this run's sources has given out; zero for one that has not yet.
    #[must_use]
    pub fn given(&self) -> Vec<(Uuid, u64)> {
        let lanes = self.lanes.iter().map(|lane| &lane.0.shared);
        lanes.map(|lane| (lane.source, lane.given())).collect()
    }

    /// What the spool holds and has done, for metrics and health.
    #[must_use]
    pub fn stats(&self) -> SpoolStats {
        let lanes = self.lanes.iter().map(|lane| lane.0.shared.counts());
        let (appended, dropped) = lanes.fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        SpoolStats {
            bytes: self.workshop.bytes(),
            max_bytes: self.workshop.max_bytes(),
            oldest_age: self.counters.oldest_age(self.clock.wall_micros()),
            appended,
            published: self.counters.published(),
            dropped,
            refused: self.counters.refused(),
            sources: self.counters.sources(),
            full: self.workshop.is_exhausted(),
        }
    }

    /// Brings the metrics up to date. The counts live on the lanes' own cache lines; the metrics are
    /// told now and then instead of at each event.
    pub(crate) fn report(&self) {
        self.stats().report();
    }

    /// Which of the events that wait to be sent came from requests whose traces are recorded.
    #[must_use]
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    pub(crate) fn clock(&self) -> &SharedClock {
        &self.clock
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The reading ends of all lanes, those of earlier runs first. There is one set: the first
    /// caller gets it, any other gets nothing.
    pub(crate) fn take_tails(&self) -> Vec<Tail> {
        let Some(mut tails) = self.recovered.lock().take() else {
            return Vec::new();
        };
        tails.extend(self.lanes.iter().map(|lane| Tail::live(&lane.0.shared)));
        tails
    }

    /// Whether no further segment can be made at the moment.
    pub(crate) fn is_full(&self) -> bool {
        self.workshop.is_exhausted()
    }

    /// Deletes segments that nobody needs here any more and gives their room back.
    pub(crate) fn delete(&self, source: Uuid, settled: tail::Settled) {
        self.workshop.delete(settled.segments);
        if settled.lane_is_done {
            let path = self.folder.lane(source);
            if let Err(error) = std::fs::remove_dir_all(&path) {
                tracing::warn!(%error, path = %path.display(), "cannot remove a finished lane");
            }
        }
    }
}

/// A small number for the calling thread, the same for its whole life. It only spreads threads over
/// lanes, so one count for the whole process does no harm, however many spools there are.
fn thread_ordinal() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static ORDINAL: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    ORDINAL.with(|ordinal| *ordinal)
}
