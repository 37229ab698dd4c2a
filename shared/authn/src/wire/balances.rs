//! What a node without a database asks and is told of the balances of quotas.

use std::ops::RangeInclusive;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use tollkeeper_domain::quota::QuotaPeriod;
use uuid::Uuid;

use crate::source::{BalanceKey, Used};

/// The most balances in one question.
pub const MOST_BALANCES: usize = 500;

/// The most sources that are one node's own.
pub const MOST_OWN_SOURCES: usize = 400;

/// The years in which a period may begin.
const YEARS: RangeInclusive<i32> = 1970..=9999;

/// Balances of quotas.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(as = NodeBalances, example = json!({
        "own": ["019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f"],
        "balances": [{
            "owner": "019aa5d0-1f2e-7a10-9c3b-5d6e7f809101",
            "generation": 1,
            "period": "2026-11-01",
        }],
    }))
)]
pub struct Balances {
    /// The sources under which the usage of the node that asks is counted, at most 400.
    #[cfg_attr(feature = "openapi", schema(max_items = 400))]
    pub own: Vec<Uuid>,
    /// At most 500.
    #[cfg_attr(feature = "openapi", schema(max_items = 500))]
    pub balances: Vec<Balance>,
}

/// One period of one generation of a quota.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = NodeBalance))]
pub struct Balance {
    /// The token, or the account for all its tokens together.
    pub owner: Uuid,
    /// Which of the owner's balances, of all it ever had.
    #[cfg_attr(feature = "openapi", schema(maximum = 4_294_967_295_u64))]
    pub generation: u32,
    /// The first day of the period, from 1970 to 9999; 1970-01-01 for what is never refilled.
    pub period: NaiveDate,
}

/// What was used of them.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(as = NodeBalancesUsed, example = json!({ "used": [{ "own": 12, "others": 40 }] }))
)]
pub struct BalancesUsed {
    /// One for each balance, in the order of the question.
    pub used: Vec<BalanceUsed>,
}

/// What was used of one balance, as far as it is counted.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = NodeBalanceUsed))]
pub struct BalanceUsed {
    /// Through the node that asks.
    pub own: u64,
    /// Through all others.
    pub others: u64,
}

impl From<BalanceKey> for Balance {
    fn from(key: BalanceKey) -> Self {
        Self {
            owner: key.owner,
            generation: key.generation,
            period: key.period.first_day(),
        }
    }
}

impl Balance {
    /// What it names, if its period is within the calendar of the tables.
    #[must_use]
    pub fn key(&self) -> Option<BalanceKey> {
        let days = self.period.signed_duration_since(NaiveDate::default());
        let days = Some(days.num_days()).filter(|_| YEARS.contains(&self.period.year()))?;
        Some(BalanceKey {
            owner: self.owner,
            generation: self.generation,
            period: QuotaPeriod(i32::try_from(days).ok()?),
        })
    }
}

impl From<Used> for BalanceUsed {
    fn from(used: Used) -> Self {
        Self {
            own: used.own,
            others: used.others,
        }
    }
}

impl From<BalanceUsed> for Used {
    fn from(used: BalanceUsed) -> Self {
        Self {
            own: used.own,
            others: used.others,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_names_its_period_by_its_first_day() {
        for days in [0, 20_778, 2_932_896] {
            let key = BalanceKey {
                owner: Uuid::from_u128(7),
                generation: 3,
                period: QuotaPeriod(days),
            };
            let text = serde_json::to_string(&Balance::from(key)).unwrap();
            let read: Balance = serde_json::from_str(&text).unwrap();
            assert_eq!(read.key(), Some(key), "{text}");
        }
    }

    #[test]
    fn a_period_beyond_the_calendar_is_none() {
        for period in ["1969-12-31", "+10000-01-01", "-4800-01-01"] {
            let balance = Balance {
                owner: Uuid::nil(),
                generation: 1,
                period: period.parse().unwrap(),
            };
            assert_eq!(balance.key(), None, "{period}");
        }
    }
}
