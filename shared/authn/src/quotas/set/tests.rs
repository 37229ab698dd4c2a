use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tollkeeper_domain::quota::QuotaRefill;
use uuid::Uuid;

use super::super::store::Balances;
use super::*;
use crate::limits::bucket::Owner;

/// Quotas of these names and limits, each with a balance of its own.
fn set(rules: &[(&str, u64)]) -> QuotaSet {
    let balances = Balances::new(1_000);
    let owner = Owner::Token(Uuid::nil());
    let rule = |(index, (name, limit)): (usize, &(&str, u64))| Quota {
        name: (*name).into(),
        limit: *limit,
        refill: QuotaRefill::None,
        generation: index as u32 + 1,
    };
    let rules: Vec<Quota> = rules.iter().enumerate().map(rule).collect();
    let rules = Quotas::try_from(rules).unwrap();
    QuotaSet::new(&rules, |rule| balances.balance(owner, rule, 0))
}

fn left(set: &QuotaSet) -> Vec<u64> {
    let left = |held: &Held| held.remaining(held.balance.turn(0));
    set.iter().map(left).collect()
}

fn take(account: &QuotaSet, token: &QuotaSet, units: u64) -> u8 {
    let both = Both {
        account: Some(account),
        token: Some(token),
    };
    both.take(units, 0)
}

#[test]
fn what_one_refuses_is_taken_of_none() {
    let (account, token) = (set(&[("a", 100), ("b", 3)]), set(&[("c", 10)]));
    for _ in 0..3 {
        assert_eq!(take(&account, &token, 1), 0);
    }
    assert_eq!((left(&account), left(&token)), (vec![97, 0], vec![7]));
    assert_eq!(take(&account, &token, 1), 0b010);
    assert_eq!(take(&account, &token, 8), 0b110);
    assert_eq!(take(&account, &token, u64::from(u32::MAX)), 0b111);
    assert_eq!((left(&account), left(&token)), (vec![97, 0], vec![7]));
    let both = Both {
        account: Some(&account),
        token: Some(&token),
    };
    both.give_back(1, 0);
    assert_eq!((left(&account), left(&token)), (vec![98, 1], vec![8]));
}

#[test]
fn a_look_takes_nothing_and_is_never_refused() {
    let (account, token) = (set(&[("a", 1)]), set(&[]));
    for (units, refusing) in [(0, 0), (1, 0), (0, 0), (1, 1)] {
        assert_eq!(take(&account, &token, units), refusing);
    }
    assert_eq!(left(&account), [0]);
}

/// Threads of two tokens are after one account's units: each quota gives exactly what it has, and what
/// was refused is taken of none.
#[test]
fn threads_take_of_all_or_of_none() {
    for round in 0..20 {
        let account = set(&[("a", 150), ("b", 1_000)]);
        let tokens = [set(&[("c", 100)]), set(&[("c", 100)])];
        let passed = [AtomicU64::new(0), AtomicU64::new(0)];
        thread::scope(|scope| {
            for worker in 0..8 {
                let (account, tokens, passed) = (&account, &tokens, &passed);
                scope.spawn(move || {
                    for _ in 0..100 {
                        let of = worker % 2;
                        if take(account, &tokens[of], 1) == 0 {
                            passed[of].fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let passed = passed.map(AtomicU64::into_inner);
        let all = passed[0] + passed[1];
        let own = passed.iter().all(|one| *one <= 100);
        assert!(all <= 150 && own, "{round}: {passed:?}");
        assert_eq!(left(&account), [150 - all, 1_000 - all], "{round}");
        for (token, passed) in tokens.iter().zip(passed) {
            assert_eq!(left(token), [100 - passed], "{round}");
        }
        // Whoever comes alone gets what is left.
        let rest = (0..300).filter(|turn| take(&account, &tokens[turn % 2], 1) == 0);
        assert_eq!(all + rest.count() as u64, 150, "{round}");
    }
}
