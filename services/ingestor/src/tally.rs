//! Events added up in memory, so that the database sees each key of a transaction once.
//!
//! Everything comes out sorted: two ingestors that update the same rows then lock them in the same
//! order and cannot deadlock.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::HashMap;

use tollkeeper_domain::quota::{QuotaOwner, QuotaPeriod};
use tollkeeper_domain::usage::UsageEvent;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_usage::histogram::{BUCKETS, bucket};
use uuid::Uuid;

const HOUR_MICROS: i64 = 3_600_000_000;
const DAY_MICROS: i64 = 24 * HOUR_MICROS;

/// An event ready to be counted: its time is within bounds, its numbers fit the tables.
#[derive(Debug, Clone)]
pub(crate) struct Countable<'a> {
    pub(crate) event: UsageEvent<'a>,
    /// The lane of the reporter that it comes from.
    pub(crate) source: Uuid,
    /// Its time, or the time of arrival where `replaced`.
    pub(crate) at_micros: i64,
    pub(crate) replaced: bool,
    pub(crate) token_version: i64,
    pub(crate) status: i16,
    /// The template it counts under in the rollups.
    pub(crate) endpoint: Cow<'a, str>,
}

impl Countable<'_> {
    /// The start of its hour.
    pub(crate) fn hour(&self) -> i64 {
        floor(self.at_micros, HOUR_MICROS)
    }

    /// What it used of which balances. Its own time says in which period, however late it comes.
    fn used(&self) -> impl Iterator<Item = (BalanceKey, i64)> {
        let event = &self.event;
        let charges = event.charges.as_slice().iter();
        charges.filter(|_| event.cost > 0).map(|charge| {
            let owner = match charge.owner {
                QuotaOwner::Token => event.token_id.0,
                QuotaOwner::Account => event.account_id.0,
            };
            let key = BalanceKey {
                owner,
                // Whoever made this countable has seen that it fits.
                generation: i32::try_from(charge.generation).unwrap_or(i32::MAX),
                period: charge.refill.period(self.at_micros),
                source: self.source,
            };
            (key, event.cost.into())
        })
    }
}

/// One row of the rollups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RollupKey<'a> {
    pub(crate) token_id: Uuid,
    /// The start of its hour or its UTC day, in microseconds.
    pub(crate) bucket: i64,
    pub(crate) endpoint: &'a str,
    pub(crate) method: &'a str,
    pub(crate) status_class: i16,
}

/// One row of the sums of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AccountKey<'a> {
    pub(crate) account_id: Uuid,
    /// The start of its hour or its UTC day, in microseconds.
    pub(crate) bucket: i64,
    pub(crate) endpoint: &'a str,
    pub(crate) method: &'a str,
    pub(crate) status_class: i16,
    pub(crate) verdict: i16,
}

/// One row of the days of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TokenDayKey {
    pub(crate) account_id: Uuid,
    /// The start of the UTC day, in microseconds.
    pub(crate) bucket: i64,
    pub(crate) token_id: Uuid,
}

/// What is added to a row of the days of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TokenDaySum {
    pub(crate) requests: i64,
    pub(crate) errors: i64,
}

/// What is added to a row of the rollups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RollupSum {
    pub(crate) requests: i64,
    pub(crate) errors: i64,
    pub(crate) latency: [i64; BUCKETS],
}

impl RollupSum {
    fn count(&mut self, event: &UsageEvent<'_>) {
        self.requests += 1;
        self.errors += i64::from(is_error(event));
        self.latency[bucket(event.response_time_us)] += 1;
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        for (count, more) in self.latency.iter_mut().zip(other.latency) {
            *count += more;
        }
    }
}

/// What is added to a token's totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TotalSum {
    pub(crate) count: i64,
    /// The newest allowed call, in microseconds.
    pub(crate) last_used: Option<i64>,
}

/// One row of the balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BalanceKey {
    /// The token or the account.
    pub(crate) owner: Uuid,
    pub(crate) generation: i32,
    pub(crate) period: QuotaPeriod,
    pub(crate) source: Uuid,
}

/// What is added to the rollups of one width, sorted by key.
pub(crate) type Rollup<'a> = Vec<(RollupKey<'a>, RollupSum)>;

/// The same of whole accounts.
pub(crate) type AccountRollup<'a> = Vec<(AccountKey<'a>, RollupSum)>;

/// The sums of a set of events.
#[derive(Debug, Default)]
pub(crate) struct Tally<'a> {
    /// Sorted by key.
    pub(crate) hours: Rollup<'a>,
    /// The same by UTC day.
    pub(crate) days: Rollup<'a>,
    /// Those of all endpoints of a token together.
    pub(crate) token_days: BTreeMap<TokenDayKey, TokenDaySum>,
    /// Sorted by key.
    pub(crate) account_hours: AccountRollup<'a>,
    /// The same by UTC day.
    pub(crate) account_days: AccountRollup<'a>,
    pub(crate) totals: BTreeMap<Uuid, TotalSum>,
    /// What was used of quotas.
    pub(crate) balances: BTreeMap<BalanceKey, i64>,
}

impl<'a> Tally<'a> {
    pub(crate) fn of(events: &'a [Countable<'a>]) -> Self {
        let mut hours: HashMap<RollupKey<'a>, RollupSum> = HashMap::new();
        let mut token_days: HashMap<TokenDayKey, TokenDaySum> = HashMap::new();
        let mut account_hours: HashMap<AccountKey<'a>, RollupSum> = HashMap::new();
        let mut totals: HashMap<Uuid, TotalSum> = HashMap::new();
        let mut balances: HashMap<BalanceKey, i64> = HashMap::new();
        for countable in events {
            let event = &countable.event;
            let allowed = event.verdict == Verdict::Valid;
            let key = RollupKey {
                token_id: event.token_id.0,
                bucket: countable.hour(),
                endpoint: &countable.endpoint,
                method: event.method,
                status_class: status_class(event.status),
            };
            hours.entry(key).or_default().count(event);
            let day = TokenDayKey {
                account_id: event.account_id.0,
                bucket: floor(countable.at_micros, DAY_MICROS),
                token_id: event.token_id.0,
            };
            let together = token_days.entry(day).or_default();
            together.requests += 1;
            together.errors += i64::from(is_error(event));
            let key = AccountKey {
                account_id: event.account_id.0,
                bucket: key.bucket,
                endpoint: key.endpoint,
                method: key.method,
                status_class: key.status_class,
                verdict: event.verdict as i16,
            };
            account_hours.entry(key).or_default().count(event);

            let total = totals.entry(event.token_id.0).or_default();
            total.count += 1;
            if allowed {
                total.last_used = total.last_used.max(Some(countable.at_micros));
            }

            for (key, used) in countable.used() {
                *balances.entry(key).or_default() += used;
            }
        }
        let hours = sorted(hours);
        let days = by_day(&hours, |key| RollupKey {
            bucket: floor(key.bucket, DAY_MICROS),
            ..*key
        });
        let account_hours = sorted(account_hours);
        let account_days = by_day(&account_hours, |key| AccountKey {
            bucket: floor(key.bucket, DAY_MICROS),
            ..*key
        });
        Self {
            hours,
            days,
            token_days: token_days.into_iter().collect(),
            account_hours,
            account_days,
            totals: totals.into_iter().collect(),
            balances: balances.into_iter().collect(),
        }
    }
}

fn sorted<K: Ord>(sums: HashMap<K, RollupSum>) -> Vec<(K, RollupSum)> {
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    sums
}

/// The sums of these hours by day. Endpoints are the ones that the hours admitted.
fn by_day<K: Ord>(hours: &[(K, RollupSum)], of_day: impl Fn(&K) -> K) -> Vec<(K, RollupSum)> {
    let mut days: BTreeMap<K, RollupSum> = BTreeMap::new();
    for (key, sum) in hours {
        days.entry(of_day(key)).or_default().add(sum);
    }
    days.into_iter().collect()
}

/// Whether it was refused, or answered with a status of 400 or above.
fn is_error(event: &UsageEvent<'_>) -> bool {
    event.verdict != Verdict::Valid || event.status >= 400
}

/// The start of the bucket of this width.
fn floor(at_micros: i64, width: i64) -> i64 {
    at_micros - at_micros.rem_euclid(width)
}

/// The first digit of a status, 0 where it has none of 1 to 5.
fn status_class(status: u16) -> i16 {
    match status {
        100..=599 => (status / 100) as i16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
