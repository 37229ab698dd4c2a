//! All lanes of a spool as the publisher sees them: which have something to send, which wait for
//! the ledger, which are finished.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::ledger::Coverage;
use crate::ranges::RangeSet;
use crate::spool::Spool;
use crate::spool::tail::{BATCH_EVENTS, Sealed, Tail};

/// The lanes, each with how far the publisher is with it.
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    /// Where the next cutting begins, so that a busy lane does not starve the others.
    turn: usize,
}

struct Lane {
    tail: Tail,
    /// Since when it has records that fill no batch.
    waiting_since: Option<Duration>,
    /// What the ledger holds of it. A lane of an earlier run is not sent before this is known; one
    /// of this run starts with nothing.
    ledger: Option<RangeSet>,
    close: Close,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Close {
    Open,
    Sent,
    Done,
}

impl Lane {
    fn new(tail: Tail) -> Self {
        Self {
            ledger: tail.is_live().then(RangeSet::default),
            tail,
            waiting_since: None,
            close: Close::Open,
        }
    }

    fn is_ready(&mut self, now: Duration, linger: Duration) -> bool {
        let uncut = self.tail.uncut();
        if uncut == 0 {
            self.waiting_since = None;
            return false;
        }
        let since = *self.waiting_since.get_or_insert(now);
        let full = uncut >= BATCH_EVENTS as u64 || !self.tail.is_live();
        self.ledger.is_some() && (full || now.saturating_sub(since) >= linger)
    }
}

impl Lanes {
    pub(super) fn new(tails: Vec<Tail>) -> Self {
        Self {
            lanes: tails.into_iter().map(Lane::new).collect(),
            turn: 0,
        }
    }

    pub(super) fn has_ready(&mut self, now: Duration, linger: Duration) -> bool {
        // Every lane must be looked at: looking starts its wait.
        let ready = self.lanes.iter_mut().map(|lane| lane.is_ready(now, linger));
        ready.fold(false, |any, ready| any | ready)
    }

    pub(super) fn has_full_batch(&self) -> bool {
        let full = |lane: &Lane| lane.ledger.is_some() && lane.tail.uncut() >= BATCH_EVENTS as u64;
        self.lanes.iter().any(full)
    }

    /// Whether any record is not cut yet.
    pub(super) fn has_uncut(&self) -> bool {
        self.lanes.iter().any(|lane| lane.tail.uncut() > 0)
    }

    /// Cuts up to `room` batches from the lanes that are ready, in turn. Reads mapped files and
    /// writes cuts, which may wait for a disk, so it happens away from the request threads.
    pub(super) async fn cut(
        &mut self,
        room: usize,
        now: Duration,
        linger: Duration,
    ) -> Vec<Sealed> {
        let mut this = Self {
            lanes: std::mem::take(&mut self.lanes),
            turn: self.turn,
        };
        let work = tokio::task::spawn_blocking(move || {
            let sealed = this.cut_here(room, now, linger);
            (this, sealed)
        });
        match work.await {
            Ok((this, sealed)) => {
                *self = this;
                sealed
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is shutting down and runs nothing more.
            Err(_) => Vec::new(),
        }
    }

    fn cut_here(&mut self, room: usize, now: Duration, linger: Duration) -> Vec<Sealed> {
        let mut sealed = Vec::new();
        let count = self.lanes.len();
        let mut idle = 0;
        while sealed.len() < room && idle < count {
            let lane = &mut self.lanes[self.turn % count];
            self.turn = (self.turn + 1) % count;
            idle += 1;
            if !lane.is_ready(now, linger) {
                continue;
            }
            let none = RangeSet::default();
            match lane.tail.cut(lane.ledger.as_ref().unwrap_or(&none)) {
                Ok(Some(batch)) => {
                    sealed.push(batch);
                    lane.waiting_since = Some(now);
                    idle = 0;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, source = %lane.tail.source(), "cannot record a batch");
                }
            }
        }
        sealed
    }

    /// The lanes of earlier runs whose final number is known and not told yet. They count as told.
    pub(super) fn take_closable(&mut self) -> Vec<(Uuid, u64)> {
        let mut close = Vec::new();
        for lane in &mut self.lanes {
            if lane.close == Close::Open
                && lane.ledger.is_some()
                && let Some(last) = lane.tail.final_number()
            {
                // A lane that was never used is known to nobody.
                lane.close = if last == 0 { Close::Done } else { Close::Sent };
                if last > 0 {
                    close.push((lane.tail.source(), last));
                }
            }
        }
        close
    }

    /// The broker knows the final number of `source`.
    pub(super) fn closed(&mut self, source: Uuid) {
        for lane in &mut self.lanes {
            if lane.tail.source() == source {
                lane.close = Close::Done;
            }
        }
    }

    /// The sources about which the ledger has something to tell.
    pub(super) fn to_ask(&self) -> Vec<Uuid> {
        let wanted = self.lanes.iter().filter(|lane| {
            lane.ledger.is_none() || lane.close == Close::Done || lane.tail.waits_for_ledger()
        });
        wanted.map(|lane| lane.tail.source()).collect()
    }

    /// Takes in what the ledger said and deletes what it covers.
    pub(super) async fn settle(
        &mut self,
        spool: &Arc<Spool>,
        asked: &[Uuid],
        mut coverage: Coverage,
    ) {
        let mut doomed = Vec::new();
        for lane in &mut self.lanes {
            let source = lane.tail.source();
            if !asked.contains(&source) {
                continue;
            }
            let covered = coverage.remove(&source).unwrap_or_default();
            let settled = lane.tail.settle(&covered, lane.close == Close::Done);
            if lane.tail.is_live() {
                lane.ledger = Some(RangeSet::default());
            } else {
                lane.ledger = Some(covered);
            }
            doomed.push((source, settled));
        }
        let done: HashSet<Uuid> = doomed
            .iter()
            .filter(|(_, settled)| settled.lane_is_done)
            .map(|(source, _)| *source)
            .collect();
        self.lanes
            .retain(|lane| !done.contains(&lane.tail.source()));
        spool.counters().set_sources(self.lanes.len());
        let spool = Arc::clone(spool);
        let delete = tokio::task::spawn_blocking(move || {
            for (source, settled) in doomed {
                spool.delete(source, settled);
            }
        });
        if let Err(error) = delete.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
