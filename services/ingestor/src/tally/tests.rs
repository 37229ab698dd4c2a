//! What events add up to.

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
    let together = |token, bucket, requests, errors| {
        let key = TokenDayKey {
            account_id: Uuid::nil(),
            bucket,
            token_id: Uuid::from_u128(token),
        };
        (key, TokenDaySum { requests, errors })
    };
    let expected = [
        together(1, 0, 1, 0),
        together(1, DAY_MICROS, 2, 0),
        together(2, DAY_MICROS, 1, 1),
    ];
    assert_eq!(tally.token_days, BTreeMap::from(expected));
}

#[test]
fn accounts_have_the_sums_of_their_tokens_by_verdict() {
    let events = [
        countable(1, 0, Verdict::Valid, 200),
        countable(2, HOUR_MICROS, Verdict::Valid, 200),
        countable(2, 0, Verdict::Valid, 401),
        countable(3, 0, Verdict::Revoked, 401),
        countable(4, 0, Verdict::Revoked, 401),
    ];
    let tally = Tally::of(&events);
    let short = |sums: &AccountRollup<'_>| -> Vec<_> {
        let short = |(key, sum): &(AccountKey<'_>, RollupSum)| {
            let AccountKey {
                bucket,
                status_class,
                verdict,
                ..
            } = *key;
            (bucket, status_class, verdict, sum.requests, sum.errors)
        };
        sums.iter().map(short).collect()
    };
    let revoked = Verdict::Revoked as i16;
    assert_eq!(
        short(&tally.account_hours),
        [
            (0, 2, 0, 1, 0),
            (0, 4, 0, 1, 1),
            (0, 4, revoked, 2, 2),
            (HOUR_MICROS, 2, 0, 1, 0)
        ]
    );
    assert_eq!(
        short(&tally.account_days),
        [(0, 2, 0, 2, 0), (0, 4, 0, 1, 1), (0, 4, revoked, 2, 2)]
    );
}

#[test]
fn a_status_outside_http_has_class_zero() {
    assert_eq!([99, 100, 599, 600].map(status_class), [0, 1, 5, 0]);
}
