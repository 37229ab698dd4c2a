//! What the limits of a token said to one request.

use std::sync::Arc;
use std::time::Duration;

use super::Share;
use super::bucket::Bucket;
use super::gcra::time;
use super::set::{Both, Limit, LimitSet};
use crate::entry::TokenEntry;

/// The limits that one request was judged by. Kept with the verdict; the figures are put together when
/// somebody asks for them.
#[derive(Debug, Clone)]
pub(crate) struct LimitCheck {
    account: Option<Arc<LimitSet>>,
    share: Share,
    cost: u32,
    now: u64,
    /// Those that refuse, in the order of [`Both::iter`].
    refusing: u16,
    /// Whether it was charged to all of them.
    is_charged: bool,
}

/// Whom a limit holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// All tokens of the account together.
    Account,
    /// This token.
    Token,
}

/// A limit as a request found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitReading<'a> {
    /// Its name, unique among those of the token, or of the account.
    pub name: &'a str,
    /// Whom it holds for.
    pub limited: Limited,
    /// Units that come back in each window.
    pub limit: u32,
    /// How long that takes, in seconds.
    pub window_seconds: u32,
    /// Units that may be taken at once.
    pub burst: u32,
    /// Units that may be taken now.
    pub remaining: u32,
    /// How long until all of them have come back.
    pub reset: Duration,
    /// Whether it refuses the request.
    pub refuses: bool,
    /// How long until it refuses the request no more; none if it will for ever, because the request
    /// costs more than may be taken at once. Zero if it does not refuse.
    pub retry_after: Option<Duration>,
}

impl LimitCheck {
    /// Charges a request that would otherwise pass.
    pub(crate) fn charge(
        entry: &TokenEntry,
        cost: u32,
        share: Share,
        now: u64,
        later: impl FnOnce() -> u64,
    ) -> Self {
        let account = entry.account.limits();
        let both = Both {
            account: account.as_deref(),
            token: entry.limits.as_deref(),
        };
        let refusing = both.charge(cost, share, now, later);
        Self {
            is_charged: refusing == 0 && cost > 0,
            account,
            share,
            cost,
            now,
            refusing,
        }
    }

    /// Says what the limits would say to a request that something else refuses.
    pub(crate) fn look(entry: &TokenEntry, cost: u32, share: Share, now: u64) -> Self {
        let account = entry.account.limits();
        let both = Both {
            account: account.as_deref(),
            token: entry.limits.as_deref(),
        };
        let refusing = both.refusing(cost, share, now);
        Self {
            is_charged: false,
            account,
            share,
            cost,
            now,
            refusing,
        }
    }

    pub(crate) fn refuses(&self) -> bool {
        self.refusing != 0
    }

    fn both<'a>(&'a self, entry: &'a TokenEntry) -> Both<'a> {
        Both {
            account: self.account.as_deref(),
            token: entry.limits.as_deref(),
        }
    }

    /// Gives back what it was charged.
    pub(crate) fn give_back(&self, entry: &TokenEntry, now: u64) {
        let limits = self.is_charged.then(|| self.both(entry).iter());
        for limit in limits.into_iter().flatten() {
            if let Some(charge) = limit.charge(self.cost, self.share) {
                limit.bucket.lessen(charge, self.now, now);
            }
        }
    }

    /// The limits that the request was charged to, and the units of each.
    pub(crate) fn charged<'a>(
        &'a self,
        entry: &'a TokenEntry,
    ) -> impl Iterator<Item = (&'a Arc<Bucket>, u64)> {
        let limits = self.is_charged.then(|| self.both(entry).iter());
        let limits = limits.into_iter().flatten();
        limits.map(|limit| (&limit.bucket, limit.units(self.cost)))
    }

    /// All limits as they are after the request.
    pub(crate) fn readings<'a>(
        &'a self,
        entry: &'a TokenEntry,
    ) -> impl Iterator<Item = LimitReading<'a>> {
        let of_account = self.account.as_ref().map_or(0, |set| set.iter().count());
        let limits = self.both(entry).iter().enumerate();
        limits.map(move |(index, limit)| {
            let limited = if index < of_account {
                Limited::Account
            } else {
                Limited::Token
            };
            self.reading(limit, limited, self.refusing & (1 << index) != 0)
        })
    }

    fn reading<'a>(&self, limit: &'a Limit, limited: Limited, refuses: bool) -> LimitReading<'a> {
        let rate = limit.bucket.rate;
        let debt = limit.bucket.debt(self.now);
        let left = rate.tolerance().saturating_sub(debt);
        let remaining = left / self.share.weigh(rate.interval).max(1);
        let wait = limit
            .charge(self.cost, self.share)
            .map(|charge| time(limit.bucket.wait(charge, self.now)));
        LimitReading {
            name: &limit.rule.name,
            limited,
            limit: limit.rule.limit,
            window_seconds: limit.rule.window_seconds,
            burst: limit.rule.burst,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            reset: time(debt),
            refuses,
            retry_after: if refuses { wait } else { Some(Duration::ZERO) },
        }
    }
}
