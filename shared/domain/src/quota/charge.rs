//! Which quotas a request was charged to, as it travels with the request's usage event.

use super::list::MAX_QUOTAS;
use super::refill::QuotaRefill;

/// The most quotas that one request is charged to: those of its token and those of its account.
pub const MAX_CHARGES: usize = 2 * MAX_QUOTAS;

/// Whose quota it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuotaOwner {
    /// The token's own.
    Token,
    /// The account's, which all its tokens share.
    Account,
}

/// One quota that a request was charged to. Together with the moment of the request it names the
/// balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuotaCharge {
    /// Whose it is.
    pub owner: QuotaOwner,
    /// Which of the owner's balances, of all it ever had.
    pub generation: u32,
    /// Which periods its uses count in.
    pub refill: QuotaRefill,
}

/// What the places that nothing is in hold, so that equal charges are equal.
const NOTHING: QuotaCharge = QuotaCharge {
    owner: QuotaOwner::Token,
    generation: 0,
    refill: QuotaRefill::None,
};

/// All quotas that one request was charged to. Copied, never allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaCharges {
    charges: [QuotaCharge; MAX_CHARGES],
    len: u8,
}

impl Default for QuotaCharges {
    fn default() -> Self {
        Self {
            charges: [NOTHING; MAX_CHARGES],
            len: 0,
        }
    }
}

impl QuotaCharges {
    /// Adds one; whether there was a place for it.
    #[must_use]
    pub fn push(&mut self, charge: QuotaCharge) -> bool {
        let Some(place) = self.charges.get_mut(usize::from(self.len)) else {
            return false;
        };
        *place = charge;
        self.len += 1;
        true
    }

    /// All of them, in the order in which they came.
    #[must_use]
    pub fn as_slice(&self) -> &[QuotaCharge] {
        self.charges
            .get(..usize::from(self.len))
            .unwrap_or_default()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_a_token_and_an_account_have_and_no_more() {
        let charge = |generation| QuotaCharge {
            owner: QuotaOwner::Account,
            generation,
            refill: QuotaRefill::Daily,
        };
        let mut charges = QuotaCharges::default();
        assert!(charges.is_empty() && charges.as_slice().is_empty());
        let all: Vec<_> = (1..=8).map(charge).collect();
        for (count, next) in all.iter().enumerate() {
            assert_eq!(charges.as_slice(), &all[..count]);
            assert!(charges.push(*next));
        }
        let full = charges;
        assert!(!charges.push(charge(9)));
        assert_eq!(charges, full);
        assert_eq!(charges.as_slice(), all);
        assert!(!charges.is_empty());
    }
}
