use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use uuid::Uuid;

use super::super::bucket::Owner;
use super::super::store::Buckets;
use super::*;

fn limits(rules: &[(&str, u32, u32, u32)]) -> RateLimits {
    let rule = |(name, limit, burst, cost): &(&str, u32, u32, u32)| RateLimit {
        name: (*name).into(),
        limit: *limit,
        window_seconds: 60,
        burst: *burst,
        cost: *cost,
    };
    rules
        .iter()
        .map(rule)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

fn set(rules: &[(&str, u32, u32, u32)]) -> LimitSet {
    let buckets = Buckets::new(0, 1_000);
    let owner = Owner::Token(Uuid::nil());
    LimitSet::new(&limits(rules), |rule| buckets.bucket(owner, rule, 0))
}

/// How many units each could still give.
fn left(set: &LimitSet) -> Vec<u64> {
    let left = |limit: &Limit| {
        let rate = limit.bucket.rate;
        (rate.tolerance() - limit.bucket.debt(0)) / rate.interval
    };
    set.iter().map(left).collect()
}

fn charge(account: &LimitSet, token: &LimitSet, cost: u32) -> u16 {
    let both = Both {
        account: Some(account),
        token: Some(token),
    };
    both.charge(cost, Share::WHOLE, 0, || 0)
}

#[test]
fn what_one_refuses_is_charged_to_none() {
    let account = set(&[("a", 100, 100, 1), ("b", 3, 3, 1)]);
    let token = set(&[("c", 10, 10, 2)]);
    for _ in 0..3 {
        assert_eq!(charge(&account, &token, 1), 0);
    }
    assert_eq!((left(&account), left(&token)), (vec![97, 0], vec![4]));
    assert_eq!(charge(&account, &token, 1), 0b010);
    // More than a whole burst passes never.
    assert_eq!(charge(&account, &token, 6), 0b110);
    assert_eq!(charge(&account, &token, u32::MAX), 0b111);
    assert_eq!((left(&account), left(&token)), (vec![97, 0], vec![4]));
}

#[test]
fn a_look_costs_nothing_and_is_never_refused() {
    let (account, token) = (set(&[("a", 1, 1, 1)]), set(&[("b", 9, 9, 9)]));
    assert_eq!(charge(&account, &token, 0), 0);
    assert_eq!(charge(&account, &token, 1), 0);
    assert_eq!(charge(&account, &token, 0), 0);
    assert_eq!((left(&account), left(&token)), (vec![0], vec![0]));
}

#[test]
fn of_a_share_each_request_takes_up_more() {
    let (account, token) = (set(&[("a", 9, 9, 1)]), set(&[("b", 1, 1, 1)]));
    let both = |token| Both {
        account: Some(&account),
        token,
    };
    let third = Share { together: 1, of: 3 };
    for _ in 0..3 {
        assert_eq!(both(None).charge(1, third, 0, || 0), 0);
    }
    assert_eq!(both(None).charge(1, third, 0, || 0), 1);
    let both = both(Some(&token));
    let later = account.iter().next().unwrap().bucket.rate.interval * 3;
    assert_eq!(both.charge(1, third, later, || later), 0, "one at a time");
    assert_eq!(both.charge(1, third, later, || later), 0b11);
}

/// Threads of two tokens are after one account's units: each limit lets exactly its burst through
/// while time stands still, and what was refused is charged nowhere.
#[test]
fn threads_charge_all_or_none() {
    for round in 0..20 {
        let account = Arc::new(set(&[("a", 150, 150, 1), ("b", 1_000, 1_000, 3)]));
        let tokens = [set(&[("c", 100, 100, 1)]), set(&[("c", 100, 100, 1)])];
        let passed = [AtomicU64::new(0), AtomicU64::new(0)];
        thread::scope(|scope| {
            for worker in 0..4 {
                let (account, tokens, passed) = (&account, &tokens, &passed);
                scope.spawn(move || {
                    for _ in 0..200 {
                        let of = worker % 2;
                        if charge(account, &tokens[of], 1) == 0 {
                            passed[of].fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let passed = passed.map(AtomicU64::into_inner);
        let all = passed[0] + passed[1];
        assert!(
            all <= 150 && passed.iter().all(|one| *one <= 100),
            "{round}"
        );
        assert_eq!(left(&account), [150 - all, 1_000 - 3 * all], "{round}");
        for (token, passed) in tokens.iter().zip(passed) {
            assert_eq!(left(token), [100 - passed], "{round}");
        }
        // Whoever comes alone gets what is left.
        let rest = (0..200).filter(|turn| charge(&account, &tokens[turn % 2], 1) == 0);
        assert_eq!(all + rest.count() as u64, 150, "{round}");
    }
}
