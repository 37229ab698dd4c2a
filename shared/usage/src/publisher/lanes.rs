//! All lanes of a spool as the publisher sees them: which have something to send, which wait for
//! the ledger, which are finished.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::lane::{Lane, Outgoing};
use super::outstanding::Reason;
use super::seen::{Look, Receipt};
use crate::ledger::Coverage;
use crate::spool::Spool;
use crate::spool::tail::{Settled, Tail};

/// The lanes, each with how far the publisher is with it.
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    /// Where the next cutting begins, so that a busy lane does not starve the others.
    turn: usize,
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
        self.lanes.iter().any(Lane::has_full_batch)
    }

    /// Whether anything is to be sent.
    pub(super) fn has_unsent(&self) -> bool {
        self.lanes.iter().any(Lane::has_unsent)
    }

    /// Whether the broker holds something of which the ledger has not told, as far as is known.
    pub(super) fn wait_for_evidence(&self) -> bool {
        self.lanes.iter().any(Lane::waits_for_evidence)
    }

    /// Cuts up to `room` batches from the lanes that are ready, in turn. Reads mapped files and
    /// writes cuts, which may wait for a disk, so it happens away from the request threads.
    pub(super) async fn cut(
        &mut self,
        room: usize,
        now: Duration,
        linger: Duration,
    ) -> Vec<Outgoing> {
        let mut this = Self {
            lanes: std::mem::take(&mut self.lanes),
            turn: self.turn,
        };
        let work = tokio::task::spawn_blocking(move || {
            let outgoing = this.cut_here(room, now, linger);
            (this, outgoing)
        });
        match work.await {
            Ok((this, outgoing)) => {
                *self = this;
                outgoing
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is shutting down and runs nothing more.
            Err(_) => Vec::new(),
        }
    }

    fn cut_here(&mut self, room: usize, now: Duration, linger: Duration) -> Vec<Outgoing> {
        let mut outgoing = Vec::new();
        let count = self.lanes.len();
        let mut idle = 0;
        while outgoing.len() < room && idle < count {
            let lane = &mut self.lanes[self.turn % count];
            self.turn = (self.turn + 1) % count;
            idle += 1;
            if !lane.is_ready(now, linger) {
                continue;
            }
            match lane.next(now) {
                Ok(Some(batch)) => {
                    outgoing.push(batch);
                    idle = 0;
                    lane.is_stuck = false;
                }
                Ok(None) => {}
                Err(error) => {
                    if !lane.is_stuck {
                        let source = lane.tail.source();
                        tracing::warn!(%error, %source, "cannot record a batch, trying again");
                    }
                    lane.is_stuck = true;
                }
            }
        }
        outgoing
    }

    /// The lanes of earlier runs whose final number is to be told, with it and the attempt. They
    /// count as told.
    pub(super) fn take_closable(&mut self) -> Vec<(Uuid, u64, u32)> {
        let mut close = Vec::new();
        for lane in &mut self.lanes {
            if let Some((last, attempt)) = lane.take_close() {
                close.push((lane.tail.source(), last, attempt));
            }
        }
        close
    }

    /// The broker has this batch.
    pub(super) fn acknowledged(&mut self, outgoing: &Outgoing, receipt: Receipt, looks: u64) {
        if let Some(lane) = self.lane(outgoing.sealed.source) {
            lane.acknowledged(outgoing, receipt, looks);
        }
        self.heed(receipt);
    }

    /// The broker has the message with the final number of `source`.
    pub(super) fn closed(&mut self, source: Uuid, receipt: Receipt, looks: u64) {
        if let Some(lane) = self.lane(source) {
            lane.closed(receipt, looks);
        }
        self.heed(receipt);
    }

    fn lane(&mut self, source: Uuid) -> Option<&mut Lane> {
        self.lanes
            .iter_mut()
            .find(|lane| lane.tail.source() == source)
    }

    fn heed(&mut self, receipt: Receipt) {
        if let Some(lost) = receipt.lost {
            self.lanes.iter_mut().for_each(|lane| lane.went_back(lost));
        }
    }

    /// Takes in what was seen of the stream.
    pub(super) fn looked_at(&mut self, look: &Look) {
        self.lanes.iter_mut().for_each(|lane| lane.looked_at(look));
    }

    /// The sources about which the ledger has something to tell, or `all` of which it has ever told.
    pub(super) fn to_ask(&self, all: bool) -> Vec<Uuid> {
        let wanted = |lane: &&Lane| lane.asks_ledger() || all && lane.relies_on_ledger();
        let wanted = self.lanes.iter().filter(wanted);
        wanted.map(|lane| lane.tail.source()).collect()
    }

    /// Takes in what the ledger said after `look`, and deletes what it covers. Returns why something
    /// is to be sent again.
    pub(super) async fn settle(
        &mut self,
        spool: &Arc<Spool>,
        asked: &[Uuid],
        mut coverage: Coverage,
        look: Option<&Look>,
        looks: u64,
    ) -> Vec<Reason> {
        let mut doomed = Vec::new();
        let mut reasons = Vec::new();
        for lane in &mut self.lanes {
            let source = lane.tail.source();
            if !asked.contains(&source) {
                continue;
            }
            let covered = coverage.remove(&source).unwrap_or_default();
            let (settled, again) = lane.settle(covered, look, looks);
            reasons.extend(again);
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
        delete(spool, doomed).await;
        reasons
    }

    /// Gives up the oldest segment that the broker has acknowledged, to make room. Returns whether
    /// there was one.
    pub(super) async fn release(&mut self, spool: &Arc<Spool>) -> bool {
        let released = self.lanes.iter_mut().find_map(|lane| {
            let segment = lane.release()?;
            Some((lane.tail.source(), segment))
        });
        let is_some = released.is_some();
        delete(spool, released.into_iter().collect()).await;
        is_some
    }
}

async fn delete(spool: &Arc<Spool>, doomed: Vec<(Uuid, Settled)>) {
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
