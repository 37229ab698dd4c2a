//! The last part of a check: rate limits and quotas, which a request is charged to if nothing else
//! refuses it.

use tollkeeper_domain::verdict::Verdict;

use crate::counters::Count;
use crate::engine::Engine;
use crate::entry::TokenEntry;
use crate::judge::{Belief, Requirement, judge};
use crate::limits::Share;
use crate::limits::check::LimitCheck;
use crate::quotas::check::QuotaCheck;
use crate::time::Moment;
use crate::verification::Verification;

impl Engine {
    /// Charges what would pass to the limits and quotas of the token and its account. To be called last,
    /// and once: nothing else may refuse a request that was charged.
    ///
    /// What a limit refuses takes nothing of quotas even for a moment: another request might be told that
    /// there is nothing left. Only where two are after the last units of a limit at the same time may one
    /// of them have to give back. Whoever a quota and a limit refuse is told of the limit, which passes
    /// sooner.
    pub(crate) fn limited(
        &self,
        mut answer: Verification,
        requirement: &Requirement<'_>,
        now: Moment,
    ) -> Verification {
        let Some(entry) = answer.entry.as_deref().filter(|entry| entry.is_limited()) else {
            return answer;
        };
        let account = entry.facts.account_id;
        let told = requirement.charged.is_none_or(|charged| charged == account);
        if answer.verdict != Verdict::Valid || !told {
            return answer;
        }
        let (limits, quotas) = self.charged(entry, requirement, now);
        if limits.refuses() {
            self.counters.add(Count::RateLimited, 1);
            answer.verdict = Verdict::RateLimited;
        } else if quotas.as_ref().is_some_and(QuotaCheck::refuses) {
            self.counters.add(Count::QuotaExceeded, 1);
            answer.verdict = Verdict::QuotaExceeded;
        } else if let Some(outbox) = self.outbox.get() {
            for (bucket, units) in limits.charged(entry) {
                outbox.note(bucket, units);
            }
        }
        answer.limits = Some(limits);
        answer.quotas = quotas;
        answer
    }

    /// Charges a request to all limits and quotas, or to none.
    fn charged(
        &self,
        entry: &TokenEntry,
        requirement: &Requirement<'_>,
        now: Moment,
    ) -> (LimitCheck, Option<QuotaCheck>) {
        let (cost, share) = (requirement.cost, self.share.get());
        let (buckets, balances) = (&self.store.buckets, &self.store.balances);
        let ticks = buckets.ticks(now.boot_nanos);
        let later = || buckets.ticks(Moment::now(&*self.clock).boot_nanos);
        if !requirement.counted || !entry.has_quotas() {
            return (LimitCheck::charge(entry, cost, share, ticks, later), None);
        }
        let look = LimitCheck::look(entry, cost, share, ticks);
        if look.refuses() {
            let quotas = QuotaCheck::look(entry, cost, now.wall_micros, balances);
            return (look, Some(quotas));
        }
        let mut quotas = QuotaCheck::charge(entry, cost, now.wall_micros, balances);
        if quotas.refuses() {
            return (look, Some(quotas));
        }
        let limits = LimitCheck::charge(entry, cost, share, ticks, later);
        if limits.refuses() {
            quotas.undo(entry);
        }
        (limits, Some(quotas))
    }

    /// The last step of a check that has waited: what ended meanwhile passes no more, and what passes is
    /// charged now.
    pub(crate) fn settled(
        &self,
        mut answer: Verification,
        requirement: &Requirement<'_>,
    ) -> Verification {
        let now = Moment::now(&*self.clock);
        answer.at_micros = now.wall_micros;
        if let (Verdict::Valid, Some(entry)) = (answer.verdict, answer.entry.as_deref()) {
            answer.verdict = judge(entry, requirement, now.wall_micros, Belief::Proven);
        }
        self.limited(answer, requirement, now)
    }

    /// Gives back what a request was charged, of limits and quotas: for whoever refuses it after all,
    /// because it cannot be counted. To be called once at most, and never for a use that is counted with
    /// its [charges](Verification::charges).
    pub fn give_back(&self, verification: &Verification) {
        let Some(entry) = verification.entry.as_deref() else {
            return;
        };
        if let Some(quotas) = &verification.quotas {
            quotas.give_back(entry);
        }
        if let Some(limits) = &verification.limits {
            let now = Moment::now(&*self.clock).boot_nanos;
            limits.give_back(entry, self.store.buckets.ticks(now));
            if self.outbox.get().is_some() {
                for (bucket, units) in limits.charged(entry) {
                    bucket.forgo(units);
                }
            }
        }
    }

    /// This node's share of every rate limit.
    pub(crate) fn share(&self) -> Share {
        self.share.get()
    }

    /// Changes it, and says so.
    pub(crate) fn set_share(&self, share: Share) {
        let before = self.share.get();
        if share != before {
            self.share.set(share);
            tracing::info!(
                heard = share.together,
                nodes = share.of,
                "the nodes that share rate limits have changed"
            );
        }
    }
}
