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

/// What is added to a row of the rollups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RollupSum {
    pub(crate) requests: i64,
    pub(crate) errors: i64,
    pub(crate) latency: [i64; BUCKETS],
}

impl RollupSum {
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

/// The sums of a set of events.
#[derive(Debug, Default)]
pub(crate) struct Tally<'a> {
    /// Sorted by key.
    pub(crate) hours: Rollup<'a>,
    /// The same by UTC day.
    pub(crate) days: Rollup<'a>,
    pub(crate) totals: BTreeMap<Uuid, TotalSum>,
    /// What was used of quotas.
    pub(crate) balances: BTreeMap<BalanceKey, i64>,
}

impl<'a> Tally<'a> {
    pub(crate) fn of(events: &'a [Countable<'a>]) -> Self {
        let mut hours: HashMap<RollupKey<'a>, RollupSum> = HashMap::new();
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
            let sum = hours.entry(key).or_default();
            sum.requests += 1;
            sum.errors += i64::from(!allowed || event.status >= 400);
            sum.latency[bucket(event.response_time_us)] += 1;

            let total = totals.entry(event.token_id.0).or_default();
            total.count += 1;
            if allowed {
                total.last_used = total.last_used.max(Some(countable.at_micros));
            }

            for (key, used) in countable.used() {
                *balances.entry(key).or_default() += used;
            }
        }
        let mut hours: Vec<_> = hours.into_iter().collect();
        hours.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Self {
            days: days(&hours),
            hours,
            totals: totals.into_iter().collect(),
            balances: balances.into_iter().collect(),
        }
    }
}

/// The sums of these hours by day. Endpoints are the ones that the hours admitted.
fn days<'a>(hours: &Rollup<'a>) -> Rollup<'a> {
    let mut days: BTreeMap<RollupKey<'a>, RollupSum> = BTreeMap::new();
    for (key, sum) in hours {
        let day = RollupKey {
            bucket: floor(key.bucket, DAY_MICROS),
            ..*key
        };
        days.entry(day).or_default().add(sum);
    }
    days.into_iter().collect()
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
mod tests {
    use tollkeeper_domain::ids::{AccountId, TokenId};
    use tollkeeper_domain::quota::QuotaCharges;

    use super::*;

    fn countable(token: u128, at_micros: i64, verdict: Verdict, status: u16) -> Countable<'static> {
        Countable {
            event: UsageEvent {
                token_id: TokenId(Uuid::from_u128(token)),
                account_id: AccountId(Uuid::nil()),
                token_version: 1,
                endpoint: "/a",
                method: "GET",
                status,
                verdict,
                ip: None,
                user_agent: "",
                request_id: "",
                response_time_us: 20,
                at_micros,
                cost: 1,
                charges: QuotaCharges::default(),
            },
            source: Uuid::nil(),
            at_micros,
            replaced: false,
            token_version: 1,
            status: 200,
            endpoint: "/a".into(),
        }
    }

    #[test]
    fn refused_calls_count_and_do_not_move_last_used() {
        let events = [
            countable(2, 5, Verdict::Valid, 200),
            countable(2, 9, Verdict::Revoked, 401),
            countable(2, 3, Verdict::Valid, 500),
            countable(1, 4, Verdict::Expired, 401),
        ];
        let tally = Tally::of(&events);
        let totals: Vec<_> = tally.totals.into_values().collect();
        assert_eq!(
            totals,
            [
                TotalSum {
                    count: 1,
                    last_used: None
                },
                TotalSum {
                    count: 3,
                    last_used: Some(5)
                }
            ]
        );
        let sums: Vec<_> = tally
            .hours
            .iter()
            .map(|(key, sum)| {
                (
                    key.token_id.as_u128(),
                    key.status_class,
                    sum.requests,
                    sum.errors,
                )
            })
            .collect();
        assert_eq!(
            sums,
            [(1, 4, 1, 1), (2, 2, 1, 0), (2, 4, 1, 1), (2, 5, 1, 1)]
        );
        assert!(
            tally
                .hours
                .iter()
                .all(|(_, sum)| sum.latency[1] == sum.requests)
        );
    }

    #[test]
    fn hours_begin_at_the_hour_even_before_1970() {
        assert_eq!(
            countable(1, HOUR_MICROS + 1, Verdict::Valid, 200).hour(),
            HOUR_MICROS
        );
        assert_eq!(countable(1, -1, Verdict::Valid, 200).hour(), -HOUR_MICROS);
    }

    #[test]
    fn a_day_is_the_sum_of_its_hours() {
        let day = |at| countable(1, at, Verdict::Valid, 200);
        let events = [
            day(DAY_MICROS - 1),
            day(DAY_MICROS),
            day(2 * DAY_MICROS - 1),
            countable(2, DAY_MICROS, Verdict::Revoked, 401),
        ];
        let tally = Tally::of(&events);
        assert_eq!(tally.hours.len(), 4);
        let days: Vec<_> = tally
            .days
            .iter()
            .map(|(key, sum)| (key.token_id.as_u128(), key.bucket, sum.requests, sum.errors))
            .collect();
        assert_eq!(
            days,
            [(1, 0, 1, 0), (1, DAY_MICROS, 2, 0), (2, DAY_MICROS, 1, 1)]
        );
        assert_eq!(tally.days[1].1.latency[1], 2);
    }

    #[test]
    fn a_status_outside_http_has_class_zero() {
        assert_eq!([99, 100, 599, 600].map(status_class), [0, 1, 5, 0]);
    }
}
