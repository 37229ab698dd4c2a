//! Quotas in a primary in memory, and what an ingestor would have counted of them.

use std::sync::Arc;

use tollkeeper_authn::{BalanceKey, FeedEvent, Used, Verification};
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::quota::{Quota, QuotaOwner, QuotaRefill, Quotas};
use tollkeeper_domain::token::Restrictions;
use uuid::Uuid;

use super::{Held, Primary};

/// Name, uses, refill and generation of each.
pub type Rules<'a> = &'a [(&'a str, u64, QuotaRefill, u32)];

fn quotas(rules: Rules<'_>) -> Quotas {
    let quota = |(name, limit, refill, generation): &(&str, u64, QuotaRefill, u32)| Quota {
        name: (*name).into(),
        limit: *limit,
        refill: *refill,
        generation: *generation,
    };
    rules
        .iter()
        .map(quota)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

impl Primary {
    /// Gives a token these quotas; its other restrictions stay.
    pub fn count(&self, token: &Held, rules: Rules<'_>) -> FeedEvent {
        self.change(token, "TokenRestrictionsChanged", |facts| {
            let mut restrictions = facts
                .restrictions
                .take()
                .map_or_else(Restrictions::default, |it| *it);
            restrictions.quotas = quotas(rules);
            facts.restrictions = (!restrictions.is_none()).then(|| Box::new(restrictions));
        })
    }

    /// Gives all tokens of an account together these quotas.
    pub fn count_account(&self, account: AccountId, rules: Rules<'_>) -> FeedEvent {
        let quotas = Some(quotas(rules)).filter(|quotas| !quotas.is_empty());
        self.change_account(account, "AccountChanged", |facts| {
            facts.quotas = quotas.map(Arc::new);
        })
    }

    /// Counts a request as the ingestor does: by its charges and its time, under this source.
    pub fn ingest(&self, verification: &Verification, source: Uuid) {
        let identity = verification.identity().unwrap();
        let (cost, charges) = verification.charges();
        let mut counted = self.counted.lock().unwrap();
        for charge in charges.as_slice() {
            let owner = match charge.owner {
                QuotaOwner::Token => identity.token_id().0,
                QuotaOwner::Account => identity.account_id().0,
            };
            let key = BalanceKey {
                owner,
                generation: charge.generation,
                period: charge.refill.period(verification.at_micros),
            };
            *counted.entry((key, source)).or_default() += u64::from(cost);
        }
    }

    /// What is counted of a balance, by all.
    pub fn counted(&self, key: BalanceKey) -> u64 {
        self.used_of(key, &[]).others
    }

    pub(super) fn note_reads(&self, asked: &[BalanceKey]) {
        let mut reads = self.balances_read.lock().unwrap();
        for key in asked {
            *reads.entry(key.owner).or_default() += 1;
        }
    }

    /// How often balances of this token or account were asked for so far.
    pub fn balances_read(&self, owner: Uuid) -> usize {
        let reads = self.balances_read.lock().unwrap();
        reads.get(&owner).copied().unwrap_or_default()
    }

    pub(super) fn used_of(&self, key: BalanceKey, own: &[Uuid]) -> Used {
        let mut used = Used::default();
        for ((of, source), units) in &*self.counted.lock().unwrap() {
            match (*of == key, own.contains(source)) {
                (true, true) => used.own += units,
                (true, false) => used.others += units,
                (false, _) => {}
            }
        }
        used
    }
}
