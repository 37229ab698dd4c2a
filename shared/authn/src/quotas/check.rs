//! What the quotas of a token said to one request.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveTime, Utc};
use tollkeeper_domain::quota::{QuotaCharge, QuotaCharges, QuotaOwner};

use super::set::{Both, Held, QuotaSet};
use super::store::Balances;
use crate::entry::TokenEntry;
use crate::limits::Limited;

/// The quotas that one request was judged by. Kept with the verdict; the figures are put together when
/// somebody asks for them.
#[derive(Debug, Clone)]
pub(crate) struct QuotaCheck {
    account: Option<Arc<QuotaSet>>,
    cost: u32,
    at_micros: i64,
    /// Those that refuse, in the order of [`Both::iter`].
    refusing: u8,
    /// Whether it has taken its units.
    is_charged: bool,
}

/// A quota as a request found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaReading<'a> {
    /// Its name, unique among those of the token, or of the account.
    pub name: &'a str,
    /// Whom it holds for.
    pub limited: Limited,
    /// Uses in each period.
    pub limit: u64,
    /// How long the present period is; none if it is never refilled by itself.
    pub window: Option<Duration>,
    /// Uses that are left, as far as this node knows.
    pub remaining: u64,
    /// The first moment of the next period; none if it is never refilled by itself.
    pub resets_at: Option<DateTime<Utc>>,
    /// How long until then.
    pub reset: Option<Duration>,
    /// Whether it refuses the request.
    pub refuses: bool,
    /// How long until it may refuse the request no more; none if it will for ever, because it is never
    /// refilled by itself or the request costs more than there is in a period. Zero if it does not
    /// refuse.
    pub retry_after: Option<Duration>,
}

impl QuotaCheck {
    /// Takes the units of a request that would otherwise pass.
    pub(crate) fn charge(
        entry: &TokenEntry,
        cost: u32,
        at_micros: i64,
        balances: &Balances,
    ) -> Self {
        let mut check = Self::by(entry, cost, at_micros, balances, |both, units, at| {
            both.take(units, at)
        });
        check.is_charged = !check.refuses() && cost > 0;
        check
    }

    /// Says what the quotas would say to a request that something else refuses.
    pub(crate) fn look(entry: &TokenEntry, cost: u32, at_micros: i64, balances: &Balances) -> Self {
        Self::by(entry, cost, at_micros, balances, |both, units, at| {
            both.refusing(units, at)
        })
    }

    /// A check that has taken nothing, as far as it knows; `ask` says which of them refuse.
    fn by(
        entry: &TokenEntry,
        cost: u32,
        at_micros: i64,
        balances: &Balances,
        ask: fn(Both<'_>, u64, i64) -> u8,
    ) -> Self {
        let account = entry.account.quotas();
        let both = Both {
            account: account.as_deref(),
            token: entry.quotas.as_deref(),
        };
        let refusing = ask(both, cost.into(), at_micros);
        for held in both.iter() {
            balances.touch(&held.balance);
        }
        Self {
            account,
            cost,
            at_micros,
            refusing,
            is_charged: false,
        }
    }

    pub(crate) fn refuses(&self) -> bool {
        self.refusing != 0
    }

    fn both<'a>(&'a self, entry: &'a TokenEntry) -> Both<'a> {
        Both {
            account: self.account.as_deref(),
            token: entry.quotas.as_deref(),
        }
    }

    /// Gives back what it took.
    pub(crate) fn give_back(&self, entry: &TokenEntry) {
        if self.is_charged {
            let both = self.both(entry);
            both.give_back(self.cost.into(), self.at_micros);
        }
    }

    /// The same for a request that another check has refused.
    pub(crate) fn undo(&mut self, entry: &TokenEntry) {
        self.give_back(entry);
        self.is_charged = false;
    }

    /// How many units it took, and of which quotas.
    pub(crate) fn charges(&self, entry: &TokenEntry) -> (u32, QuotaCharges) {
        let mut charges = QuotaCharges::default();
        if !self.is_charged {
            return (1, charges);
        }
        for (limited, held) in self.each(entry) {
            let charge = QuotaCharge {
                owner: match limited {
                    Limited::Account => QuotaOwner::Account,
                    Limited::Token => QuotaOwner::Token,
                },
                generation: held.rule.generation,
                refill: held.rule.refill,
            };
            let fits = charges.push(charge);
            debug_assert!(fits, "a token and an account have no more");
        }
        (self.cost, charges)
    }

    fn each<'a>(&'a self, entry: &'a TokenEntry) -> impl Iterator<Item = (Limited, &'a Held)> {
        let Both { account, token } = self.both(entry);
        let account = account.into_iter().flat_map(QuotaSet::iter);
        let token = token.into_iter().flat_map(QuotaSet::iter);
        let account = account.map(|held| (Limited::Account, held));
        account.chain(token.map(|held| (Limited::Token, held)))
    }

    /// All quotas as they are after the request.
    pub(crate) fn readings<'a>(
        &'a self,
        entry: &'a TokenEntry,
    ) -> impl Iterator<Item = QuotaReading<'a>> {
        let each = self.each(entry).enumerate();
        each.map(|(index, (limited, held))| {
            let refuses = self.refusing & (1 << index) != 0;
            self.reading(held, limited, refuses)
        })
    }

    fn reading<'a>(&self, held: &'a Held, limited: Limited, refuses: bool) -> QuotaReading<'a> {
        let rule = &held.rule;
        let turn = held.balance.turn(self.at_micros);
        let begins = rule.refill.period(self.at_micros).first_day();
        let resets_at = rule.refill.ends(self.at_micros);
        let since = |from: i64| {
            let micros = resets_at?.timestamp_micros().saturating_sub(from);
            Some(Duration::from_micros(micros.unsigned_abs()))
        };
        let reset = since(self.at_micros);
        let helps = u64::from(self.cost) <= rule.limit;
        QuotaReading {
            name: &rule.name,
            limited,
            limit: rule.limit,
            window: since(begins.and_time(NaiveTime::MIN).and_utc().timestamp_micros()),
            remaining: held.remaining(turn),
            resets_at,
            reset,
            refuses,
            retry_after: if refuses {
                reset.filter(|_| helps)
            } else {
                Some(Duration::ZERO)
            },
        }
    }
}
