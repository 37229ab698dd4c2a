//! The quotas of one token or one account, and how a request takes of all of them or of none.

use std::sync::Arc;

use tollkeeper_domain::quota::{MAX_CHARGES, Quota, Quotas};

use super::balance::{Balance, Turn};

/// A quota and its balance.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) rule: Quota,
    pub(crate) balance: Arc<Balance>,
}

impl Held {
    /// What is left of it.
    pub(crate) fn remaining(&self, turn: Turn) -> u64 {
        self.rule.limit.saturating_sub(self.balance.used(turn))
    }
}

/// All quotas of one token or account.
#[derive(Debug)]
pub(crate) struct QuotaSet(Box<[Held]>);

impl QuotaSet {
    pub(crate) fn new(rules: &Quotas, mut balance: impl FnMut(&Quota) -> Arc<Balance>) -> Self {
        let held = |rule: &Quota| Held {
            rule: rule.clone(),
            balance: balance(rule),
        };
        Self(rules.iter().map(held).collect())
    }

    /// Whether these are its quotas.
    pub(crate) fn is_of(&self, rules: &Quotas) -> bool {
        self.iter().map(|held| &held.rule).eq(rules.iter())
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Held> {
        self.0.iter()
    }

    /// What it takes in memory, its balances included, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let one = |held: &Held| size_of::<Held>() + held.rule.name.len() + Balance::BYTES;
        size_of::<Self>() + self.iter().map(one).sum::<usize>()
    }
}

/// The quotas of a request: those of its account, then those of its token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Both<'a> {
    pub(crate) account: Option<&'a QuotaSet>,
    pub(crate) token: Option<&'a QuotaSet>,
}

impl<'a> Both<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a Held> {
        let sets = self.account.into_iter().chain(self.token);
        sets.flat_map(QuotaSet::iter)
    }

    /// The quotas of which so many units are not left, as bits in the order of [`Both::iter`].
    pub(crate) fn refusing(self, units: u64, at_micros: i64) -> u8 {
        let mut refusing = 0;
        for (index, held) in self.iter().enumerate() {
            let left = held.remaining(held.balance.turn(at_micros));
            refusing |= u8::from(left < units) << index;
        }
        refusing
    }

    /// Takes so many units of all quotas, or of none. Gives those that refuse, as bits in the order of
    /// [`Both::iter`]: none if it was taken.
    ///
    /// As with rate limits, every quota is looked at before the first unit is taken. Only where two
    /// requests are after the last units at the same time may one of them have to give back.
    pub(crate) fn take(self, units: u64, at_micros: i64) -> u8 {
        if units == 0 {
            return 0;
        }
        let mut turns = [None; MAX_CHARGES];
        let mut refusing = 0;
        for (index, held) in self.iter().enumerate() {
            let turn = held.balance.turn(at_micros);
            turns[index] = Some(turn);
            refusing |= u8::from(held.remaining(turn) < units) << index;
        }
        if refusing != 0 {
            return refusing;
        }
        for (index, (held, turn)) in self.iter().zip(turns.into_iter().flatten()).enumerate() {
            if !held.balance.take(units, held.rule.limit, turn) {
                let taken = self.iter().zip(turns.into_iter().flatten());
                for (held, turn) in taken.take(index) {
                    held.balance.give_back(units, turn);
                }
                return 1 << index;
            }
        }
        0
    }

    /// Gives back what a request took at this moment.
    pub(crate) fn give_back(self, units: u64, at_micros: i64) {
        for held in self.iter() {
            let turn = held.balance.turn(at_micros);
            held.balance.give_back(units, turn);
        }
    }
}

#[cfg(test)]
mod tests;
