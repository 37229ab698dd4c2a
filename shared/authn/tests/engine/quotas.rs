//! Quotas: how many uses there are, what they are charged with, and what outlives what.

mod nodes;
mod nothing_taken;

use std::sync::Arc;
use std::time::Duration;

use tollkeeper_authn::{BalanceKey, EngineConfig, Limited, Requirement, Verification};
use tollkeeper_domain::quota::{QuotaPeriod, QuotaRefill};
use tollkeeper_domain::token::Lifecycle;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::wait_for;
use uuid::Uuid;

use crate::node::{Node, config};
use crate::primary::{Held, Primary};

use QuotaRefill::{Daily, Monthly, None as Never};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

async fn ask(node: &Node, token: &Held, cost: u32) -> Verification {
    let requirement = Requirement {
        cost,
        ..Requirement::default()
    };
    let text = token.text.as_bytes();
    node.engine.verify(text, &requirement).await
}

/// What is left, without taking any.
async fn left(node: &Node, token: &Held) -> Vec<u64> {
    let look = ask(node, token, 0).await;
    assert_eq!(look.verdict, Verdict::Valid, "a look is never refused");
    remaining(&look)
}

fn remaining(verification: &Verification) -> Vec<u64> {
    verification.quotas().map(|it| it.remaining).collect()
}

/// A node of which this is the one source of usage, and which reads balances again all the time.
async fn renewing(source: u128, primary: &Arc<Primary>) -> Node {
    let config = EngineConfig {
        balance_interval: Duration::from_millis(1),
        usage_sources: vec![Uuid::from_u128(source)],
        ..config()
    };
    Node::start_with(config, Arc::clone(primary)).await
}

/// Waits until a node knows that so much is left.
async fn knows(node: &Node, token: &Held, expected: &[u64]) {
    wait_for("what others used to be known", async || {
        left(node, token).await == expected
    })
    .await;
}

#[tokio::test]
async fn there_are_as_many_uses_as_the_quota_says() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary.count(&token, &[("calls", 3, Daily, 1)]);
    for left in [2, 1, 0] {
        let answer = node.check(&token).await;
        assert_eq!(answer.verdict, Verdict::Valid);
        assert_eq!(remaining(&answer), [left]);
    }
    let refused = node.check(&token).await;
    assert_eq!(refused.verdict, Verdict::QuotaExceeded);
    assert!(!refused.is_valid() && refused.identity().is_some());
    assert!(refused.charges().1.is_empty(), "a refusal takes nothing");
    let reading = refused.quotas().next().unwrap();
    assert_eq!(
        (
            reading.name,
            reading.limited,
            reading.limit,
            reading.remaining
        ),
        ("calls", Limited::Token, 3, 0)
    );
    // The clock of these tests stands at 2027-01-15T08:00:00Z.
    let eight = Duration::from_secs(8 * 3_600);
    let day = Duration::from_secs(86_400);
    assert_eq!(reading.window, Some(day));
    assert_eq!(reading.reset, Some(day - eight));
    assert!(reading.refuses && reading.retry_after == reading.reset);
    let resets_at = reading.resets_at.unwrap();
    assert_eq!(resets_at.to_rfc3339(), "2027-01-16T00:00:00+00:00");
    assert_eq!(left(&node, &token).await, [0]);
    let counts = node.status().counts;
    assert_eq!((counts.quota_exceeded, counts.rate_limited), (1, 0));
}

#[tokio::test]
async fn a_request_takes_what_it_costs_of_all_quotas_or_of_none() {
    let node = Node::start().await;
    let account = node.primary.register();
    let (one, other) = (node.primary.issue(account), node.primary.issue(account));
    node.primary
        .count_account(account, &[("all", 20, Monthly, 9)]);
    node.primary
        .count(&one, &[("day", 10, Daily, 1), ("life", 12, Never, 2)]);
    let passed = ask(&node, &one, 7).await;
    assert_eq!(remaining(&passed), [13, 3, 5]);
    let (cost, charges) = passed.charges();
    let generations: Vec<_> = charges.as_slice().iter().map(|it| it.generation).collect();
    assert_eq!((cost, generations), (7, vec![9, 1, 2]));
    let refused = ask(&node, &one, 4).await;
    assert_eq!(refused.verdict, Verdict::QuotaExceeded);
    let refuses: Vec<_> = refused.quotas().map(|it| it.refuses).collect();
    assert_eq!(refuses, [false, true, false]);
    let never = ask(&node, &one, 13).await;
    let retry: Vec<_> = never.quotas().map(|it| it.retry_after.is_some()).collect();
    assert_eq!(retry, [true, false, false], "no period has as many");
    assert_eq!(left(&node, &one).await, [13, 3, 5]);
    assert_eq!(remaining(&ask(&node, &other, 13).await), [0]);
    assert_eq!(ask(&node, &one, 1).await.verdict, Verdict::QuotaExceeded);
    let stranger = node.primary.issue(node.primary.register());
    assert_eq!(node.check(&stranger).await.quotas().count(), 0);
}

#[tokio::test]
async fn a_rate_limit_is_told_of_first_and_neither_is_charged_for_the_other() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary.limit(&token, &[("requests", 60, 60, 2)]);
    node.primary.count(&token, &[("calls", 3, Daily, 1)]);
    let limits = |answer: &Verification| answer.rate_limits().next().unwrap().remaining;
    for _ in 0..2 {
        assert_eq!(node.verdict(&token).await, Verdict::Valid);
    }
    // The limit refuses: what was taken of the quota is there again.
    let refused = node.check(&token).await;
    assert_eq!(refused.verdict, Verdict::RateLimited);
    assert!(refused.charges().1.is_empty());
    assert_eq!(left(&node, &token).await, [1]);
    node.clock.pass_boot(Duration::from_secs(1));
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    // Both would refuse.
    assert_eq!(node.verdict(&token).await, Verdict::RateLimited);
    // Only the quota does, and takes nothing of the limit.
    node.clock.pass_boot(Duration::from_secs(2));
    for _ in 0..3 {
        let refused = node.check(&token).await;
        assert_eq!(refused.verdict, Verdict::QuotaExceeded);
        assert_eq!((limits(&refused), remaining(&refused)), (2, vec![0]));
    }
    let counts = node.status().counts;
    assert_eq!((counts.rate_limited, counts.quota_exceeded), (2, 3));
}

#[tokio::test]
async fn only_a_use_that_will_be_counted_is_charged() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary.count(&token, &[("calls", 1, Daily, 1)]);
    for requirement in [
        Requirement {
            counted: false,
            ..Requirement::default()
        },
        Requirement {
            charged: Some(node.primary.register()),
            ..Requirement::default()
        },
        Requirement {
            scopes: &["write"],
            ..Requirement::default()
        },
    ] {
        let text = token.text.as_bytes();
        let answer = node.engine.verify(text, &requirement).await;
        assert_eq!(answer.quotas().count(), 0);
        assert!(answer.charges().1.is_empty());
    }
    assert_eq!(left(&node, &token).await, [1]);
    // Whoever cannot count it after all gives it back.
    let charged = node.check(&token).await;
    node.engine.give_back(&charged);
    assert_eq!(left(&node, &token).await, [1]);
    let refused = ask(&node, &token, 2).await;
    node.engine.give_back(&refused);
    assert_eq!(left(&node, &token).await, [1], "it took nothing");
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    assert_eq!(node.verdict(&token).await, Verdict::QuotaExceeded);
}

#[tokio::test]
async fn the_next_day_and_the_next_month_are_full_by_the_wall_clock() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    let rules = [
        ("day", 2, Daily, 1),
        ("life", 9, Never, 3),
        ("month", 5, Monthly, 2),
    ];
    node.primary.count(&token, &rules);
    assert_eq!(remaining(&ask(&node, &token, 2).await), [0, 7, 3]);
    // 2027-01-15T08:00:00Z; the monotonic clock has no say.
    let midnight = 16 * 3_600 * SECOND;
    node.clock.move_wall(midnight - 1);
    node.prove().await;
    assert_eq!(left(&node, &token).await, [0, 7, 3]);
    assert_eq!(node.verdict(&token).await, Verdict::QuotaExceeded);
    node.clock.move_wall(1);
    assert_eq!(left(&node, &token).await, [2, 7, 3]);
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    // A clock that is put back by a moment finds the day as it was left.
    node.clock.move_wall(-1);
    assert_eq!(left(&node, &token).await, [0, 6, 2]);
    node.clock.move_wall(1);
    assert_eq!(left(&node, &token).await, [1, 6, 2]);
    node.clock.move_wall(16 * DAY);
    node.prove().await;
    assert_eq!(left(&node, &token).await, [2, 6, 5], "it is February");
}

#[tokio::test]
async fn a_new_generation_is_full_at_once_and_a_changed_limit_forgets_nothing() {
    let primary = Arc::new(Primary::default());
    let node = renewing(1, &primary).await;
    let account = primary.register();
    let token = primary.issue(account);
    primary.count(&token, &[("calls", 5, Never, 1)]);
    primary.count_account(account, &[("all", 8, Never, 1)]);
    let old = ask(&node, &token, 5).await;
    assert_eq!(remaining(&old), [3, 0]);
    primary.count(&token, &[("calls", 7, Never, 1)]);
    node.prove().await;
    assert_eq!(left(&node, &token).await, [3, 2]);
    primary.count(&token, &[("calls", 4, Never, 1)]);
    node.prove().await;
    assert_eq!(left(&node, &token).await, [3, 0]);
    // Refilled.
    primary.count(&token, &[("calls", 4, Never, 2)]);
    node.prove().await;
    assert_eq!(left(&node, &token).await, [3, 4]);
    // What was used before is counted late: for the old balance.
    primary.ingest(&old, Uuid::from_u128(1));
    assert_eq!(remaining(&ask(&node, &token, 1).await), [2, 3]);
    let before = primary.balances_read(token.id.0);
    wait_for("renewals", async || {
        left(&node, &token).await;
        primary.balances_read(token.id.0) > before + 4
    })
    .await;
    assert_eq!(left(&node, &token).await, [2, 3]);
    let counted = |owner, generation| {
        primary.counted(BalanceKey {
            owner,
            generation,
            period: QuotaPeriod(0),
        })
    };
    assert_eq!((counted(token.id.0, 1), counted(token.id.0, 2)), (5, 0));
    // The account's is everybody's at once.
    let sibling = primary.issue(account);
    primary.count_account(account, &[("all", 8, Never, 2)]);
    node.prove().await;
    assert_eq!(left(&node, &token).await, [8, 3]);
    assert_eq!(left(&node, &sibling).await, [8]);
    primary.count_account(account, &[]);
    primary.count(&token, &[]);
    node.prove().await;
    assert_eq!(left(&node, &token).await, [0; 0]);
}

/// More tokens than there is memory for.
async fn crowd(node: &Node) {
    let account = node.primary.register();
    for _ in 0..200 {
        node.check(&node.primary.issue(account)).await;
    }
}

#[tokio::test]
async fn what_is_not_counted_yet_outlives_the_token_in_memory() {
    let config = EngineConfig {
        cache_bytes: 16 * 1024,
        ..config()
    };
    let node = Node::start_with(config, Default::default()).await;
    // What comes before memory is full stays the longest.
    crowd(&node).await;
    let token = node.primary.issue(node.primary.register());
    node.primary.count(&token, &[("calls", 5, Daily, 1)]);
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    crowd(&node).await;
    let look = Requirement {
        cost: 0,
        ..Requirement::default()
    };
    let memory = node.engine.try_verify(token.text.as_bytes(), &look);
    assert!(memory.is_err(), "it is not evicted");
    // The primary has counted nothing, and is asked again.
    assert_eq!(left(&node, &token).await, [4]);
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    // All forgotten, for rows were replaced.
    node.primary.rebuild(&token, Lifecycle::Active);
    node.prove().await;
    assert_eq!(node.status().memory.entries, 0);
    assert_eq!(left(&node, &token).await, [3]);
    let rotated = node.primary.rotate(&token, i64::MAX);
    node.prove().await;
    assert_eq!(node.verdict(&rotated).await, Verdict::Valid);
    assert_eq!(
        left(&node, &token).await,
        [2],
        "another secret of the same token"
    );
}

/// Eight threads are after the uses of two tokens of one account, through the engine.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_get_exactly_what_there_is() {
    let node = Node::start().await;
    let account = node.primary.register();
    let tokens = [node.primary.issue(account), node.primary.issue(account)];
    node.primary
        .count_account(account, &[("all", 150, Daily, 1)]);
    for token in &tokens {
        node.primary.count(token, &[("own", 100, Monthly, 1)]);
        assert_eq!(left(&node, token).await, [150, 100]);
    }
    let workers: Vec<_> = (0..8)
        .map(|worker| {
            let engine = node.engine.clone();
            let text = tokens[worker % 2].text.clone();
            tokio::task::spawn_blocking(move || {
                let ask = |_: &i32| {
                    let answer = engine.try_verify(text.as_bytes(), &Requirement::default());
                    answer.unwrap().is_valid()
                };
                (0..200).filter(ask).count() as u64
            })
        })
        .collect();
    let mut passed = [0, 0];
    for (worker, one) in workers.into_iter().enumerate() {
        passed[worker % 2] += one.await.unwrap();
    }
    let all = passed[0] + passed[1];
    let own = passed.iter().all(|one| *one <= 100);
    assert!(all <= 150 && own, "{passed:?}");
    for (token, passed) in tokens.iter().zip(passed) {
        assert_eq!(left(&node, token).await, [150 - all, 100 - passed]);
    }
}

/// One token, eight threads: each unit is had once, whatever comes back in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_get_every_unit_once() {
    const UNITS: u64 = 1_000;
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary.count(&token, &[("calls", UNITS, Never, 1)]);
    assert_eq!(left(&node, &token).await, [UNITS]);
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let (engine, text) = (node.engine.clone(), token.text.clone());
            tokio::task::spawn_blocking(move || {
                let ask = |_: &i32| {
                    let answer = engine.try_verify(text.as_bytes(), &Requirement::default());
                    answer.unwrap().is_valid()
                };
                (0..300).filter(ask).count() as u64
            })
        })
        .collect();
    let mut passed = 0;
    for worker in workers {
        passed += worker.await.unwrap();
    }
    assert_eq!(passed, UNITS);
}
