//! One balance: what was used of a quota in its present period and in the one before.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chrono::Datelike;
use tollkeeper_domain::quota::QuotaRefill;

use crate::limits::bucket::Owner;
use crate::source::{BalanceKey, Used};

/// By what a balance is found. A generation has one refill for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) owner: Owner,
    pub(crate) generation: u32,
}

/// A period's place in the order of all periods of its refill, by which memory tells one from another:
/// they begin again after 4,096, which is eleven years of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn(u16);

/// The bits that hold units: more than any quota has.
const UNITS: u32 = 52;
const MOST_UNITS: u64 = (1 << UNITS) - 1;

impl Turn {
    /// The turn of the period that a use at this moment counts in.
    pub(crate) fn of(refill: QuotaRefill, at_micros: i64) -> Self {
        let period = refill.period(at_micros);
        let number = match refill {
            QuotaRefill::None => 0,
            QuotaRefill::Daily => i64::from(period.0),
            QuotaRefill::Monthly => {
                let day = period.first_day();
                i64::from(day.year()) * 12 + i64::from(day.month0())
            }
        };
        Self((number & 0xfff) as u16)
    }

    /// The units that a word holds for this turn: none if it is about another.
    fn read(self, word: u64) -> u64 {
        if word >> UNITS == u64::from(self.0) {
            word & MOST_UNITS
        } else {
            0
        }
    }

    fn word(self, units: u64) -> u64 {
        u64::from(self.0) << UNITS | units.min(MOST_UNITS)
    }
}

/// What is known of one period. Each word names the turn that it is about.
#[derive(Debug, Default)]
struct Slot {
    /// What went through here, and what the primary knew of it before this node held the balance.
    own: AtomicU64,
    /// What of that the primary has counted.
    counted: AtomicU64,
    /// What the primary has counted of everybody else.
    others: AtomicU64,
}

/// What is known of one generation of a quota.
#[derive(Debug)]
pub(crate) struct Balance {
    pub(crate) key: Key,
    pub(crate) refill: QuotaRefill,
    /// Neighbouring periods have a slot each, so that a request that was judged just before midnight
    /// and one just after do not disturb each other.
    slots: [Slot; 2],
    /// Whether it is to be read again soon.
    touched: AtomicBool,
}

impl Balance {
    pub(crate) fn new(key: Key, refill: QuotaRefill) -> Self {
        Self {
            key,
            refill,
            slots: Default::default(),
            touched: AtomicBool::new(false),
        }
    }

    /// The turn of a moment.
    pub(crate) fn turn(&self, at_micros: i64) -> Turn {
        Turn::of(self.refill, at_micros)
    }

    /// What the primary calls it in the period of this moment.
    pub(crate) fn name(&self, at_micros: i64) -> BalanceKey {
        let (Owner::Token(owner) | Owner::Account(owner)) = self.key.owner;
        BalanceKey {
            owner,
            generation: self.key.generation,
            period: self.refill.period(at_micros),
        }
    }

    fn slot(&self, turn: Turn) -> &Slot {
        &self.slots[usize::from(turn.0 & 1)]
    }

    /// What was used in all, as far as it is known here.
    pub(crate) fn used(&self, turn: Turn) -> u64 {
        let slot = self.slot(turn);
        let own = turn.read(slot.own.load(Ordering::Acquire));
        own + turn.read(slot.others.load(Ordering::Acquire))
    }

    /// Takes so many units of `limit`, or none if there are not as many. Of all that is taken here and
    /// not given back, the sum is at most what the others have left.
    pub(crate) fn take(&self, units: u64, limit: u64, turn: Turn) -> bool {
        let slot = self.slot(turn);
        let others = turn.read(slot.others.load(Ordering::Acquire));
        let mut before = slot.own.load(Ordering::Acquire);
        loop {
            let own = turn.read(before) + units;
            if own + others > limit {
                return false;
            }
            match slot.own.compare_exchange_weak(
                before,
                turn.word(own),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(found) => before = found,
            }
        }
    }

    /// Gives back what a request has taken that did not pass after all. If the turn is over, it is gone
    /// anyway.
    pub(crate) fn give_back(&self, units: u64, turn: Turn) {
        let less = |word| {
            let own = turn.read(word);
            (own > 0).then(|| turn.word(own.saturating_sub(units)))
        };
        // Nothing there: nothing to give back.
        let _ = change(&self.slot(turn).own, less);
    }

    /// Takes in what the primary has counted of what [`name`](Self::name) says.
    ///
    /// What went through here is known better here, for the primary hears of it later. Only where
    /// memory has forgotten some of it does the primary know more.
    pub(crate) fn take_in(&self, used: Used, turn: Turn) {
        let slot = self.slot(turn);
        slot.others.store(turn.word(used.others), Ordering::Release);
        slot.counted.store(turn.word(used.own), Ordering::Release);
        let more = |word| (turn.read(word) < used.own).then(|| turn.word(used.own));
        // As much or more is known here.
        let _ = change(&slot.own, more);
    }

    /// What went through here and the primary has yet to count: 0 if nothing is lost by forgetting it.
    pub(crate) fn uncounted(&self, turn: Turn) -> u64 {
        let slot = self.slot(turn);
        let own = turn.read(slot.own.load(Ordering::Acquire));
        own.saturating_sub(turn.read(slot.counted.load(Ordering::Acquire)))
    }

    /// Whether it is to be read again soon.
    pub(crate) fn is_touched(&self) -> bool {
        self.touched.load(Ordering::Relaxed)
    }

    pub(crate) fn set_touched(&self, touched: bool) {
        self.touched.store(touched, Ordering::Relaxed);
    }
}

fn change(word: &AtomicU64, change: impl Fn(u64) -> Option<u64>) -> Result<u64, u64> {
    word.fetch_update(Ordering::AcqRel, Ordering::Acquire, change)
}

#[cfg(test)]
mod tests;
