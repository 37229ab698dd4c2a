//! One bucket: the theoretical arrival time of a limit, in one atomic number.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::gcra::Rate;

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Owner {
    Token(Uuid),
    Account(Uuid),
}

/// By what a bucket is found. The name is part of it, and the rest of the limit is not: a limit that is
/// changed keeps what was consumed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) owner: Owner,
    pub(crate) name: Box<str>,
}

/// What was let through of one limit. All times are ticks.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) key: Key,
    pub(crate) rate: Rate,
    /// The theoretical arrival time: when all that was taken will have come back. A bucket whose time
    /// has passed is as good as a new one.
    arrival: AtomicU64,
    /// Units that were taken here and that no other node was told of; below zero where some were told of
    /// that were given back since.
    untold: AtomicI64,
    /// Whether it waits to be told of.
    pub(crate) queued: AtomicBool,
    /// Whether only other nodes have told of it.
    pub(crate) hearsay: AtomicBool,
}

/// What a request has taken out of a bucket, to be given back if another one refuses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    charge: u64,
    before: u64,
    after: u64,
    at: u64,
}

impl Bucket {
    pub(crate) fn new(key: Key, rate: Rate, arrival: u64) -> Self {
        Self {
            key,
            rate,
            arrival: AtomicU64::new(arrival),
            untold: AtomicI64::new(0),
            queued: AtomicBool::new(false),
            hearsay: AtomicBool::new(false),
        }
    }

    /// The same bucket under another rate.
    pub(crate) fn at_rate(&self, rate: Rate, now: u64) -> Self {
        let arrival = match self.debt(now) {
            0 => 0,
            debt => now.saturating_add(self.rate.convert(debt, rate)),
        };
        let bucket = Self::new(self.key.clone(), rate, arrival);
        let untold = self.untold.swap(0, Ordering::Relaxed);
        bucket.untold.store(untold, Ordering::Relaxed);
        bucket
    }

    /// When all will have come back.
    pub(crate) fn arrival(&self) -> u64 {
        self.arrival.load(Ordering::Acquire)
    }

    /// How long until all has come back.
    pub(crate) fn debt(&self, now: u64) -> u64 {
        self.arrival().saturating_sub(now)
    }

    /// How much longer than now it takes until this charge passes; 0 if it passes now.
    ///
    /// A charge that weighs more than a whole burst, as one may in a small share, passes where nothing
    /// else was taken: a share is never less than one request at a time.
    pub(crate) fn wait(&self, charge: u64, now: u64) -> u64 {
        let bound = self.rate.tolerance().max(charge);
        let debt = self.debt(now).saturating_add(charge);
        debt.saturating_sub(bound)
    }

    /// Takes the charge, or nothing if it does not pass.
    ///
    /// Of the charges that pass within any span of time, the sum is at most that span and a burst: each
    /// moves the arrival time on by itself, from the first one's present at least to the last one's
    /// present and a burst at most.
    pub(crate) fn take(&self, charge: u64, now: u64) -> Option<Taken> {
        let bound = self.rate.tolerance().max(charge);
        let mut before = self.arrival.load(Ordering::Acquire);
        loop {
            let after = before.max(now).saturating_add(charge);
            if after.saturating_sub(now) > bound || after == u64::MAX {
                return None;
            }
            match self.arrival.compare_exchange_weak(
                before,
                after,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    let at = now;
                    return Some(Taken {
                        charge,
                        before,
                        after,
                        at,
                    });
                }
                Err(found) => before = found,
            }
        }
    }

    /// Gives back what a request has taken that did not pass after all.
    ///
    /// Alone, that leaves what was there before. Where others were charged meanwhile it is
    /// [less](Self::lessen).
    pub(crate) fn give_back(&self, taken: Taken, now: u64) {
        let Taken {
            charge,
            before,
            after,
            at,
        } = taken;
        let alone =
            self.arrival
                .compare_exchange(after, before, Ordering::AcqRel, Ordering::Acquire);
        if alone.is_err() {
            self.lessen(charge, at, now);
        }
    }

    /// Gives back a charge that was taken at that moment. A part of it may have come back by itself, at
    /// most as much as time has passed; that part is kept, so that nothing is given back twice.
    pub(crate) fn lessen(&self, charge: u64, at: u64, now: u64) {
        let rest = charge.saturating_sub(now.saturating_sub(at));
        self.arrival.fetch_sub(rest, Ordering::AcqRel);
    }

    /// Takes what another node has let through, which nobody can refuse any more. The arrival time
    /// goes no further ahead than `bound` from now by it.
    pub(crate) fn take_over(&self, charge: u64, now: u64, bound: u64) {
        let most = now.saturating_add(bound);
        let mut before = self.arrival.load(Ordering::Acquire);
        loop {
            let after = before.max(now).saturating_add(charge).min(most);
            if after <= before {
                return;
            }
            match self.arrival.compare_exchange_weak(
                before,
                after,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return,
                Err(found) => before = found,
            }
        }
    }

    /// Notes units that were taken, to be told to the other nodes. Whether somebody has to put it into
    /// the queue for that.
    pub(crate) fn note(&self, units: u64) -> bool {
        self.untold.fetch_add(signed(units), Ordering::Relaxed);
        !self.queued.swap(true, Ordering::AcqRel)
    }

    /// Notes that units were given back. Of what the other nodes were told already, that much less is
    /// told of what is taken next.
    pub(crate) fn forgo(&self, units: u64) {
        self.untold.fetch_sub(signed(units), Ordering::Relaxed);
    }

    /// Takes out the units that nobody was told of.
    pub(crate) fn take_untold(&self) -> u64 {
        let owed = |units: i64| (units > 0).then_some(0);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let untold = self.untold.fetch_update(set, fetch, owed).unwrap_or(0);
        untold.unsigned_abs()
    }
}

/// Units as they are noted: a request takes far fewer than half of what 64 bits hold.
fn signed(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(crate) fn bucket(rate: Rate) -> Bucket {
    let key = Key {
        owner: Owner::Token(Uuid::nil()),
        name: "a".into(),
    };
    Bucket::new(key, rate, 0)
}

#[cfg(test)]
mod tests;
