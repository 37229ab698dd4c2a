use std::sync::atomic::AtomicUsize;
use std::thread;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const DAY: i64 = 86_400_000_000;

fn balance(refill: QuotaRefill) -> Balance {
    let key = Key {
        owner: Owner::Token(Uuid::nil()),
        generation: 1,
    };
    Balance::new(key, refill)
}

fn micros(time: &str) -> i64 {
    time.parse::<DateTime<Utc>>().unwrap().timestamp_micros()
}

fn used(own: u64, others: u64) -> Used {
    Used { own, others }
}

#[test]
fn neighbouring_periods_have_slots_of_their_own() {
    for (refill, before, after) in [
        (
            QuotaRefill::Daily,
            "2026-11-21T23:59:59.999999Z",
            "2026-11-22T00:00:00Z",
        ),
        (
            QuotaRefill::Daily,
            "2026-12-31T23:59:59.999999Z",
            "2027-01-01T00:00:00Z",
        ),
        (
            QuotaRefill::Monthly,
            "2026-11-30T23:59:59.999999Z",
            "2026-12-01T00:00:00Z",
        ),
        (
            QuotaRefill::Monthly,
            "2026-12-31T23:59:59.999999Z",
            "2027-01-01T00:00:00Z",
        ),
        (
            QuotaRefill::Monthly,
            "2028-02-29T23:59:59.999999Z",
            "2028-03-01T00:00:00Z",
        ),
    ] {
        let balance = balance(refill);
        let (before, after) = (
            Turn::of(refill, micros(before)),
            Turn::of(refill, micros(after)),
        );
        assert!(balance.take(3, 5, before));
        // Whoever was a moment quicker or slower finds what is left of its own period.
        assert!(balance.take(4, 5, after));
        assert!(!balance.take(3, 5, before) && balance.take(2, 5, before));
        assert!(!balance.take(2, 5, after) && balance.take(1, 5, after));
        assert_eq!((balance.used(before), balance.used(after)), (5, 5));
    }
}

#[test]
fn a_period_of_two_ago_is_forgotten_and_what_is_late_for_it_changes_nothing() {
    let balance = balance(QuotaRefill::Daily);
    let turns = [0, 1, 2].map(|day| balance.turn(day * DAY));
    assert!(balance.take(5, 5, turns[0]));
    assert!(balance.take(4, 5, turns[2]));
    balance.give_back(5, turns[0]);
    assert_eq!(turns.map(|turn| balance.used(turn)), [0, 0, 4]);
    // A clock that went back finds nothing known, and nothing in the way.
    assert!(balance.take(1, 5, turns[0]));
    assert_eq!(turns.map(|turn| balance.used(turn)), [1, 0, 0]);
}

#[test]
fn what_is_never_refilled_has_one_turn() {
    let balance = balance(QuotaRefill::None);
    for at in [0, DAY, 400 * DAY] {
        assert!(balance.take(1, 3, balance.turn(at)));
    }
    assert!(!balance.take(1, 3, balance.turn(1_000 * DAY)));
    assert_eq!(balance.name(DAY).period.0, 0);
}

#[test]
fn what_is_on_its_way_is_not_forgotten_when_the_primary_knows_less() {
    let balance = balance(QuotaRefill::None);
    let turn = balance.turn(0);
    balance.take_in(used(10, 7), turn);
    assert_eq!((balance.used(turn), balance.uncounted(turn)), (17, 0));
    assert!(balance.take(5, 100, turn));
    assert_eq!((balance.used(turn), balance.uncounted(turn)), (22, 5));
    // Two of them have arrived, and others have used more.
    balance.take_in(used(12, 9), turn);
    assert_eq!((balance.used(turn), balance.uncounted(turn)), (24, 3));
    balance.take_in(used(15, 9), turn);
    assert_eq!((balance.used(turn), balance.uncounted(turn)), (24, 0));
    // Of what was forgotten here the primary knows more.
    balance.take_in(used(20, 9), turn);
    assert_eq!((balance.used(turn), balance.uncounted(turn)), (29, 0));
}

#[test]
fn the_most_that_there_may_be_fits() {
    use tollkeeper_domain::quota::MAX_USES;

    let balance = balance(QuotaRefill::Daily);
    let turn = balance.turn(0);
    const { assert!(MAX_USES < MOST_UNITS) };
    balance.take_in(used(MAX_USES - 1, 0), turn);
    assert!(balance.take(1, MAX_USES, turn) && !balance.take(1, MAX_USES, turn));
    assert_eq!(balance.used(turn), MAX_USES);
    balance.take_in(used(u64::MAX, u64::MAX), turn);
    assert_eq!(balance.used(turn), 2 * MOST_UNITS);
    assert_eq!(balance.used(balance.turn(DAY)), 0, "of this turn alone");
}

/// Eight threads are after as many units as there are, some of which come back.
#[test]
fn threads_get_exactly_what_there_is() {
    const UNITS: usize = 1_000;
    for round in 0..20 {
        let balance = balance(QuotaRefill::Daily);
        let turn = balance.turn(DAY);
        balance.take_in(used(0, 7), turn);
        let passed = AtomicUsize::new(0);
        thread::scope(|scope| {
            for worker in 0..8 {
                let (balance, passed) = (&balance, &passed);
                scope.spawn(move || {
                    for number in 0..400 {
                        if balance.take(1, UNITS as u64 + 7, turn) {
                            if (number + worker) % 5 == 0 {
                                balance.give_back(1, turn);
                            } else {
                                passed.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                });
            }
        });
        let mut passed = passed.into_inner();
        assert!(passed <= UNITS, "{round}");
        assert_eq!(balance.used(turn), passed as u64 + 7, "{round}");
        while balance.take(1, UNITS as u64 + 7, turn) {
            passed += 1;
        }
        assert_eq!(passed, UNITS, "{round}");
    }
}

/// What a balance is to do, without bits and races: of each figure, the day that it was written for last
/// among those that share a place.
#[derive(Debug, Default)]
struct Figure([(i64, u64); 2]);

impl Figure {
    fn get(&self, day: i64) -> u64 {
        let (of, units) = self.0[(day % 2) as usize];
        if of == day { units } else { 0 }
    }

    fn set(&mut self, day: i64, units: u64) {
        self.0[(day % 2) as usize] = (day, units);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Take(u64),
    GiveBack(u64),
    TakeIn(u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u64..30).prop_map(Step::Take),
        (0_u64..30).prop_map(Step::GiveBack),
        (0_u64..60, 0_u64..60).prop_map(|(own, others)| Step::TakeIn(own, others)),
    ]
}

proptest! {
    #[test]
    fn a_balance_does_what_its_model_does(
        steps in prop::collection::vec((0_i64..4, 1_u64..120, step()), 1..80),
    ) {
        let balance = balance(QuotaRefill::Daily);
        let (mut own, mut counted, mut others) =
            (Figure::default(), Figure::default(), Figure::default());
        for (day, limit, step) in steps {
            let turn = balance.turn(day * DAY);
            match step {
                Step::Take(units) => {
                    let passes = own.get(day) + others.get(day) + units <= limit;
                    prop_assert_eq!(balance.take(units, limit, turn), passes);
                    if passes {
                        own.set(day, own.get(day) + units);
                    }
                }
                Step::GiveBack(units) => {
                    balance.give_back(units, turn);
                    if own.get(day) > 0 {
                        own.set(day, own.get(day).saturating_sub(units));
                    }
                }
                Step::TakeIn(by_us, by_others) => {
                    balance.take_in(used(by_us, by_others), turn);
                    others.set(day, by_others);
                    counted.set(day, by_us);
                    if own.get(day) < by_us {
                        own.set(day, by_us);
                    }
                }
            }
            for day in 0..4 {
                let turn = balance.turn(day * DAY);
                prop_assert_eq!(balance.used(turn), own.get(day) + others.get(day));
                let uncounted = own.get(day).saturating_sub(counted.get(day));
                prop_assert_eq!(balance.uncounted(turn), uncounted);
            }
        }
    }
}
