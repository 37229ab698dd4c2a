use tollkeeper_domain::quota::QuotaRefill;
use uuid::Uuid;

use super::*;
use crate::source::Used;

const DAY: i64 = 86_400_000_000;

fn rule(generation: u32) -> Quota {
    Quota {
        name: "a".into(),
        limit: 1_000_000,
        refill: QuotaRefill::Daily,
        generation,
    }
}

fn token(number: u128) -> Owner {
    // All in one shard.
    Owner::Token(Uuid::from_u128(number << 8))
}

fn tidy(balances: &Balances, now: i64) {
    for _ in 0..SHARDS {
        balances.tidy(now);
    }
}

#[test]
fn a_balance_is_found_again_by_owner_and_generation() {
    let balances = Balances::new(1_000);
    let first = balances.balance(token(1), &rule(1), 0);
    let renamed = Quota {
        name: "b".into(),
        limit: 7,
        ..rule(1)
    };
    assert!(Arc::ptr_eq(
        &first,
        &balances.balance(token(1), &renamed, 0)
    ));
    let account = Owner::Account(Uuid::from_u128(1 << 8));
    for (owner, generation) in [(token(1), 2), (token(2), 1), (account, 1)] {
        let other = balances.balance(owner, &rule(generation), 0);
        assert!(!Arc::ptr_eq(&first, &other));
    }
    assert_eq!(balances.len(), 4);
    tidy(&balances, 0);
    assert_eq!(
        balances.len(),
        1,
        "nobody holds the others, and nothing was used of them"
    );
}

#[test]
fn what_is_not_counted_stays_until_it_is_or_its_day_is_over() {
    let balances = Balances::new(1_000);
    let balance = balances.balance(token(1), &rule(1), 0);
    let turn = balance.turn(0);
    assert!(balance.take(5, 10, turn));
    drop(balance);
    tidy(&balances, 0);
    // It is to be read again, to learn what is counted of it by now.
    let touched = balances.take_touched();
    assert_eq!(touched.len(), 1);
    touched[0].take_in(Used { own: 4, others: 0 }, turn);
    drop(touched);
    tidy(&balances, 0);
    let again = balances.balance(token(1), &rule(1), 0);
    assert_eq!((again.used(turn), again.uncounted(turn)), (5, 1));
    again.take_in(Used { own: 5, others: 0 }, turn);
    drop(again);
    drop(balances.take_touched());
    tidy(&balances, 0);
    assert_eq!(balances.len(), 0);

    let balance = balances.balance(token(1), &rule(1), 0);
    assert!(balance.take(5, 10, turn));
    drop(balance);
    tidy(&balances, DAY);
    assert_eq!((balances.len(), balances.forgotten()), (0, 0));
}

#[test]
fn too_many_are_forgotten_from_the_one_with_the_least_uncounted() {
    let balances = Balances::new(10 * SHARDS);
    for number in 0..1_000_u64 {
        let balance = balances.balance(token(number.into()), &rule(1), 0);
        let units = number * 7 % 1_000 + 1;
        assert!(balance.take(units, 1_000, balance.turn(0)));
    }
    tidy(&balances, 0);
    assert_eq!((balances.len(), balances.forgotten()), (10, 990));
    let kept = balances.take_touched();
    let least = kept.iter().map(|it| it.uncounted(it.turn(0))).min();
    assert!(
        kept.len() == 10 && least > Some(900),
        "the fullest are kept"
    );
}

#[test]
fn a_touched_balance_is_read_once_and_whoever_finds_no_room_asks_again() {
    let balances = Balances::new(10_000);
    let held: Vec<_> = (0..=MOST_WAITING as u128)
        .map(|number| balances.balance(token(number), &rule(1), 0))
        .collect();
    for _ in 0..3 {
        held.iter().for_each(|balance| balances.touch(balance));
    }
    assert_eq!(balances.take_touched().len(), MOST_WAITING);
    assert_eq!(balances.take_touched().len(), 0);
    balances.touch(&held[MOST_WAITING]);
    // Somebody else is at the list: nobody waits.
    let guard = balances.shards[0].waiting.lock();
    balances.touch(&held[0]);
    drop(guard);
    let touched = balances.take_touched();
    assert!(touched.len() == 1 && Arc::ptr_eq(&touched[0], &held[MOST_WAITING]));
}
