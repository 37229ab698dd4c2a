//! Quotas as they are asked for of tokens and accounts, and what is left of them.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use tollkeeper_domain::quota::{BadQuotas, NewQuota, NewQuotas, QuotaRefill, Quotas};
use tollkeeper_read_model::quota_balances::Used;
use utoipa::ToSchema;

use crate::http::problem::FieldErrors;

/// Checks what stands in `quotas` and notes everything that is wrong with it.
pub(crate) fn check(asked: Vec<NewQuota>, errors: &mut FieldErrors) -> Option<NewQuotas> {
    match NewQuotas::try_from(asked) {
        Ok(quotas) => Some(quotas),
        Err(BadQuotas(faults)) => {
            for (place, why) in faults {
                errors.add(format!("/quotas{place}"), why);
            }
            None
        }
    }
}

/// A quota, and what is left of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QuotaUse)]
pub(crate) struct QuotaUse {
    /// Tells it from the others.
    name: Box<str>,
    /// How many uses there are in each period.
    #[schema(minimum = 1)]
    limit: u64,
    refill: QuotaRefill,
    /// Which balance it draws on, of all that its owner ever had.
    #[schema(minimum = 1)]
    generation: u32,
    /// What was counted in this period. It may be more than the limit.
    used: u64,
    /// What is left of the limit.
    remaining: u64,
    /// The first day of this period, by UTC; null if it is never refilled.
    #[schema(required)]
    period: Option<NaiveDate>,
    /// When it is full again; null if it never is by itself.
    #[schema(required)]
    resets_at: Option<DateTime<Utc>>,
}

/// The quotas of a token or an account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "items": [{
    "name": "month",
    "limit": 100_000,
    "refill": "monthly",
    "generation": 1,
    "used": 1204,
    "remaining": 98_796,
    "period": "2026-11-01",
    "resets_at": "2026-12-01T00:00:00Z",
}] }))]
pub(crate) struct QuotaUses {
    /// Sorted by name.
    items: Vec<QuotaUse>,
}

impl QuotaUses {
    /// These quotas at `now`, of which so much was used.
    pub(crate) fn new(quotas: &Quotas, used: &Used, now: DateTime<Utc>) -> Self {
        let now = now.timestamp_micros();
        let items = quotas.iter().map(|quota| {
            let used = used.of(quota.generation);
            let resets_at = quota.refill.ends(now);
            QuotaUse {
                name: quota.name.clone(),
                limit: quota.limit,
                refill: quota.refill,
                generation: quota.generation,
                used,
                remaining: quota.limit.saturating_sub(used),
                period: resets_at.map(|_| quota.refill.period(now).first_day()),
                resets_at,
            }
        });
        Self {
            items: items.collect(),
        }
    }
}
