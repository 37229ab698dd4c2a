//! The limits of one token or one account, and how a request is charged to all of them or to none.

use std::sync::Arc;

use tollkeeper_domain::rate_limit::{MAX_RATE_LIMITS, RateLimit, RateLimits};

use super::Share;
use super::bucket::{Bucket, Taken};

/// The most buckets that one request is charged to: its token's, and its account's.
pub(crate) const MOST: usize = 2 * MAX_RATE_LIMITS;

/// A limit and its bucket.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) rule: RateLimit,
    pub(crate) bucket: Arc<Bucket>,
}

impl Limit {
    /// The units that a request of this cost takes.
    pub(crate) fn units(&self, cost: u32) -> u64 {
        u64::from(cost) * u64::from(self.rule.cost)
    }

    /// Their ticks; none if that is more than a whole burst, which never passes.
    pub(crate) fn charge(&self, cost: u32, share: Share) -> Option<u64> {
        let units = self.units(cost);
        let rate = self.bucket.rate;
        (units <= rate.burst.into()).then(|| share.weigh(units.saturating_mul(rate.interval)))
    }
}

/// All limits of one token or account.
#[derive(Debug)]
pub(crate) struct LimitSet(Box<[Limit]>);

impl LimitSet {
    pub(crate) fn new(
        rules: &RateLimits,
        mut bucket: impl FnMut(&RateLimit) -> Arc<Bucket>,
    ) -> Self {
        let limit = |rule: &RateLimit| Limit {
            rule: rule.clone(),
            bucket: bucket(rule),
        };
        Self(rules.iter().map(limit).collect())
    }

    /// Whether these are its limits.
    pub(crate) fn is_of(&self, rules: &RateLimits) -> bool {
        self.iter().map(|limit| &limit.rule).eq(rules.iter())
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Limit> {
        self.0.iter()
    }

    /// What it takes in memory, its buckets included, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let one = |limit: &Limit| size_of::<Limit>() + limit.rule.name.len() + limit.bucket.bytes();
        size_of::<Self>() + self.iter().map(one).sum::<usize>()
    }
}

/// The limits of a request: those of its account, then those of its token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Both<'a> {
    pub(crate) account: Option<&'a LimitSet>,
    pub(crate) token: Option<&'a LimitSet>,
}

impl<'a> Both<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a Limit> {
        let sets = self.account.into_iter().chain(self.token);
        sets.flat_map(LimitSet::iter)
    }

    /// The limits that refuse a request of this cost now, as bits in the order of [`Both::iter`].
    pub(crate) fn refusing(self, cost: u32, share: Share, now: u64) -> u16 {
        let mut refusing = 0;
        for (index, limit) in self.iter().enumerate() {
            let charge = limit.charge(cost, share);
            let passes = charge.is_some_and(|charge| limit.bucket.wait(charge, now) == 0);
            refusing |= u16::from(!passes) << index;
        }
        refusing
    }

    /// Charges a request of this cost to all limits, or to none. Gives those that refuse, as bits in
    /// the order of [`Both::iter`]: none if it was charged.
    ///
    /// Every limit is looked at before the first one is charged, so that what is refused takes nothing
    /// from others even for a moment. Only where two requests are after the last units at the same time
    /// may one of them have to give back.
    pub(crate) fn charge(
        self,
        cost: u32,
        share: Share,
        now: u64,
        later: impl FnOnce() -> u64,
    ) -> u16 {
        if cost == 0 {
            return 0;
        }
        let refusing = self.refusing(cost, share, now);
        if refusing != 0 {
            return refusing;
        }
        let charge = |limit: &Limit| limit.charge(cost, share);
        let mut taken: [Option<Taken>; MOST] = [None; MOST];
        for (index, limit) in self.iter().enumerate() {
            taken[index] = charge(limit).and_then(|charge| limit.bucket.take(charge, now));
            if taken[index].is_none() {
                let later = later();
                for (limit, taken) in self.iter().zip(taken.into_iter().flatten()) {
                    limit.bucket.give_back(taken, later);
                }
                return 1 << index;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests;
