//! Rate limits: what they let through, whom they hold for, and what outlives what.

use std::time::Duration;

use tollkeeper_authn::{EngineConfig, Limited, Requirement, Verification};
use tollkeeper_domain::token::Lifecycle;
use tollkeeper_domain::verdict::Verdict;

use crate::node::{Node, config};
use crate::primary::Held;

/// What the limits say, without charging: name, units left, and seconds until all is back.
async fn left(node: &Node, token: &Held) -> Vec<(String, u32, u64)> {
    let look = ask(node, token, 0).await;
    assert_eq!(look.verdict, Verdict::Valid, "a look is never refused");
    readings(&look)
}

fn readings(verification: &Verification) -> Vec<(String, u32, u64)> {
    let limits = verification.rate_limits();
    limits
        .map(|it| (it.name.to_owned(), it.remaining, it.reset.as_secs()))
        .collect()
}

async fn ask(node: &Node, token: &Held, cost: u32) -> Verification {
    let requirement = Requirement {
        cost,
        ..Requirement::default()
    };
    node.engine
        .verify(token.text.as_bytes(), &requirement)
        .await
}

fn one(name: &str, remaining: u32, reset: u64) -> Vec<(String, u32, u64)> {
    vec![(name.to_owned(), remaining, reset)]
}

#[tokio::test]
async fn a_burst_passes_and_comes_back_at_the_rate() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary.limit(&token, &[("requests", 60, 60, 3)]);
    for left in [2, 1, 0] {
        let answer = node.check(&token).await;
        assert_eq!(answer.verdict, Verdict::Valid);
        assert_eq!(
            readings(&answer),
            one("requests", left, 3 - u64::from(left))
        );
    }
    let refused = node.check(&token).await;
    assert_eq!(refused.verdict, Verdict::RateLimited);
    assert!(!refused.is_valid() && refused.identity().is_some());
    let reading = refused.rate_limits().next().unwrap();
    assert!(reading.refuses);
    assert_eq!(
        (
            reading.limited,
            reading.limit,
            reading.window_seconds,
            reading.burst
        ),
        (Limited::Token, 60, 60, 3)
    );
    assert_eq!(reading.retry_after, Some(Duration::from_secs(1)));
    assert_eq!(
        (reading.remaining, reading.reset),
        (0, Duration::from_secs(3))
    );

    node.clock.pass(Duration::from_millis(999));
    assert_eq!(node.verdict(&token).await, Verdict::RateLimited);
    node.clock.pass(Duration::from_millis(1));
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    assert_eq!(node.verdict(&token).await, Verdict::RateLimited);
    assert_eq!(node.status().counts.rate_limited, 3);
}

#[tokio::test]
async fn a_wall_clock_that_jumps_gives_and_takes_nothing() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary.limit(&token, &[("requests", 1, 1, 2)]);
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    let hour = 3_600_000_000;
    for jump in [-hour, hour] {
        node.clock.move_wall(jump);
        node.prove().await;
        assert_eq!(left(&node, &token).await, one("requests", 1, 1));
    }
    node.clock.pass_boot(Duration::from_secs(1));
    assert_eq!(left(&node, &token).await, one("requests", 2, 0));
}

#[tokio::test]
async fn only_what_would_pass_is_charged() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary.limit(&token, &[("requests", 1, 60, 1)]);
    let beyond = Requirement {
        scopes: &["write"],
        ..Requirement::default()
    };
    let answer = node.engine.verify(token.text.as_bytes(), &beyond).await;
    assert_eq!(answer.verdict, Verdict::InsufficientScope);
    assert_eq!(answer.rate_limits().count(), 0);
    node.primary.suspend(&token);
    node.prove().await;
    assert_eq!(node.verdict(&token).await, Verdict::Suspended);
    node.primary.resume(&token);
    node.prove().await;
    // Nobody can know: nothing passes, and nothing is charged.
    node.clock.pass(Duration::from_secs(61));
    assert_eq!(node.verdict(&token).await, Verdict::Unavailable);
    node.prove().await;
    assert_eq!(left(&node, &token).await, one("requests", 1, 0));
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    // Who may not see the token charges it nothing.
    let other = Requirement {
        charged: Some(node.primary.register()),
        ..Requirement::default()
    };
    let answer = node.engine.verify(token.text.as_bytes(), &other).await;
    assert_eq!(answer.verdict, Verdict::Valid);
    // Whoever would not pass anyway is told why, and not of a limit.
    assert_eq!(node.verdict(&token).await, Verdict::RateLimited);
    let answer = node.engine.verify(token.text.as_bytes(), &beyond).await;
    assert_eq!(answer.verdict, Verdict::InsufficientScope);
}

#[tokio::test]
async fn a_request_costs_what_it_says() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary.limit(&token, &[("requests", 10, 10, 10)]);
    assert_eq!(ask(&node, &token, 7).await.verdict, Verdict::Valid);
    let refused = ask(&node, &token, 4).await;
    assert_eq!(refused.verdict, Verdict::RateLimited);
    let reading = refused.rate_limits().next().unwrap();
    assert_eq!(reading.retry_after, Some(Duration::from_secs(1)));
    assert_eq!(left(&node, &token).await, one("requests", 3, 7));
    let never = ask(&node, &token, 11).await;
    assert_eq!(never.verdict, Verdict::RateLimited);
    assert_eq!(never.rate_limits().next().unwrap().retry_after, None);
    assert_eq!(ask(&node, &token, 3).await.verdict, Verdict::Valid);
    assert_eq!(left(&node, &token).await, one("requests", 0, 10));
}

#[tokio::test]
async fn an_accounts_limit_is_shared_and_what_one_refuses_is_charged_to_none() {
    let node = Node::start().await;
    let account = node.primary.register();
    let (one, other) = (node.primary.issue(account), node.primary.issue(account));
    node.primary.limit_account(account, &[("all", 3, 60, 3)]);
    node.primary.limit(&one, &[("own", 2, 60, 2)]);
    for verdict in [Verdict::Valid, Verdict::Valid, Verdict::RateLimited] {
        assert_eq!(node.verdict(&one).await, verdict);
    }
    let refused = node.check(&one).await;
    let refuses: Vec<_> = refused
        .rate_limits()
        .map(|it| (it.limited, it.remaining, it.refuses))
        .collect();
    assert_eq!(
        refuses,
        [(Limited::Account, 1, false), (Limited::Token, 0, true)]
    );
    assert_eq!(node.verdict(&other).await, Verdict::Valid);
    assert_eq!(node.verdict(&other).await, Verdict::RateLimited);
    let stranger = node.primary.issue(node.primary.register());
    assert_eq!(node.check(&stranger).await.rate_limits().count(), 0);
}

/// More tokens than there is memory for.
async fn crowd(node: &Node) {
    let account = node.primary.register();
    for _ in 0..200 {
        node.check(&node.primary.issue(account)).await;
    }
}

#[tokio::test]
async fn what_was_consumed_outlives_the_token_in_memory() {
    let config = EngineConfig {
        cache_bytes: 16 * 1024,
        ..config()
    };
    let node = Node::start_with(config, Default::default()).await;
    // What comes before memory is full stays the longest.
    crowd(&node).await;
    let token = node.primary.issue(node.primary.register());
    node.primary.limit(&token, &[("requests", 5, 60, 5)]);
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    // Evicted by others.
    let look = Requirement {
        cost: 0,
        ..Requirement::default()
    };
    crowd(&node).await;
    let memory = node.engine.try_verify(token.text.as_bytes(), &look);
    assert!(memory.is_err(), "it is not evicted");
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    // Read afresh.
    let fresh = Requirement {
        fresh: true,
        ..Requirement::default()
    };
    let answer = node.engine.verify(token.text.as_bytes(), &fresh).await;
    assert_eq!(readings(&answer)[0].1, 2);
    // All forgotten, for rows were replaced.
    node.primary.rebuild(&token, Lifecycle::Active);
    node.prove().await;
    assert_eq!(node.status().memory.entries, 0);
    assert_eq!(left(&node, &token).await[0].1, 2);
    // Under a new secret.
    let rotated = node.primary.rotate(&token, i64::MAX);
    node.prove().await;
    assert_eq!(node.verdict(&rotated).await, Verdict::Valid);
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    for held in [&rotated, &token] {
        assert_eq!(node.verdict(held).await, Verdict::RateLimited);
    }
}

#[tokio::test]
async fn a_limit_that_is_changed_keeps_what_was_consumed() {
    let node = Node::start().await;
    let account = node.primary.register();
    let (token, sibling) = (node.primary.issue(account), node.primary.issue(account));
    node.primary
        .limit(&token, &[("a", 10, 60, 10), ("b", 5, 60, 5)]);
    node.primary.limit_account(account, &[("all", 10, 60, 10)]);
    node.verdict(&sibling).await;
    for _ in 0..4 {
        assert_eq!(node.verdict(&token).await, Verdict::Valid);
    }
    let remaining = async |token: &Held| {
        node.prove().await;
        let left = left(&node, token).await.into_iter();
        left.map(|(_, remaining, _)| remaining).collect::<Vec<_>>()
    };
    assert_eq!(remaining(&token).await, [5, 6, 1]);
    node.primary
        .limit(&token, &[("a", 100, 3600, 20), ("c", 5, 60, 5)]);
    assert_eq!(remaining(&token).await, [5, 16, 5], "by its name");
    node.primary
        .limit(&token, &[("a", 1, 60, 3), ("b", 5, 60, 5)]);
    assert_eq!(
        remaining(&token).await,
        [5, 0, 1],
        "what was taken away is not forgotten"
    );
    // The account's are everybody's at once, read or not.
    node.primary.limit_account(account, &[("all", 20, 60, 20)]);
    assert_eq!(remaining(&token).await, [15, 0, 1]);
    assert_eq!(remaining(&sibling).await, [15]);
    node.primary.limit_account(account, &[]);
    node.primary.limit(&token, &[]);
    assert!(remaining(&token).await.is_empty());
    assert!(remaining(&sibling).await.is_empty());
    node.primary.limit_account(account, &[("all", 20, 60, 20)]);
    assert_eq!(remaining(&sibling).await, [15], "it comes back as it was");
}

#[tokio::test]
async fn limits_hold_while_the_primary_is_away() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    let renamed = node.primary.limit(&token, &[("requests", 2, 60, 2)]);
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    node.primary.set_cut(true);
    // In doubt by a message, which nobody can look into.
    let mut message = renamed;
    message.version += 1;
    node.engine.hint(&message);
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    assert_eq!(node.verdict(&token).await, Verdict::RateLimited);
}

/// Threads are after two tokens of one account, through the engine: together they get what the account
/// has, each no more than its own, and what was refused is charged nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_get_exactly_what_there_is() {
    let node = Node::start().await;
    let account = node.primary.register();
    let tokens = [node.primary.issue(account), node.primary.issue(account)];
    node.primary
        .limit_account(account, &[("all", 150, 60, 150)]);
    for token in &tokens {
        node.primary.limit(token, &[("own", 100, 60, 100)]);
        assert_eq!(ask(&node, token, 0).await.verdict, Verdict::Valid);
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
                (0..200).filter(ask).count()
            })
        })
        .collect();
    let mut passed = [0, 0];
    for (worker, one) in workers.into_iter().enumerate() {
        passed[worker % 2] += u32::try_from(one.await.unwrap()).unwrap();
    }
    let all = passed[0] + passed[1];
    assert!(
        all <= 150 && passed.iter().all(|one| *one <= 100),
        "{passed:?}"
    );
    for (token, passed) in tokens.iter().zip(passed) {
        let left = left(&node, token).await;
        assert_eq!((left[0].1, left[1].1), (150 - all, 100 - passed));
    }
}
