//! The last part of a check: rate limits and quotas, which a request is charged to if nothing else
//! refuses it.

use tollkeeper_domain::verdict::Verdict;

use crate::counters::Count;
use crate::engine::Engine;
use crate::judge::Requirement;
use crate::limits::Share;
use crate::limits::check::LimitCheck;
use crate::quotas::check::QuotaCheck;
use crate::time::Moment;
use crate::verification::Verification;

impl Engine {
    /// Charges what would pass to the limits and quotas of the token and its account. To be called last,
    /// and once: nothing else may refuse a request that was charged.
    ///
    /// Units of quotas are taken first, because they can be given back without a trace. Whoever a quota
    /// and a limit refuse is told of the limit, which passes sooner.
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
        let cost = requirement.cost;
        let mut quotas = (requirement.counted && entry.has_quotas())
            .then(|| QuotaCheck::charge(entry, cost, now.wall_micros, &self.store.balances));
        let exceeded = quotas.as_ref().is_some_and(QuotaCheck::refuses);
        let buckets = &self.store.buckets;
        let now = buckets.ticks(now.boot_nanos);
        let later = || buckets.ticks(Moment::now(&*self.clock).boot_nanos);
        let share = self.share.get();
        let check = if exceeded {
            LimitCheck::look(entry, cost, share, now)
        } else {
            LimitCheck::charge(entry, cost, share, now, later)
        };
        if check.refuses() {
            self.counters.add(Count::RateLimited, 1);
            answer.verdict = Verdict::RateLimited;
            if let Some(quotas) = &mut quotas {
                quotas.undo(entry);
            }
        } else if exceeded {
            self.counters.add(Count::QuotaExceeded, 1);
            answer.verdict = Verdict::QuotaExceeded;
        } else if cost > 0
            && let Some(outbox) = self.outbox.get()
        {
            for (bucket, units) in check.charged(entry) {
                outbox.note(bucket, units);
            }
        }
        answer.limits = Some(check);
        answer.quotas = quotas;
        answer
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
