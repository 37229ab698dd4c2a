//! Made-up tokens at full speed: what they may cost, counted and not timed.

use std::sync::Arc;

use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use tollkeeper_authn::{CacheUse, EngineConfig, FillLimits, Requirement};
use tollkeeper_domain::verdict::Verdict;

use crate::node::{Node, config};
use crate::primary::Held;

async fn good_ones(node: &Node, number: usize) -> Vec<Held> {
    let account = node.primary.register();
    let tokens: Vec<_> = (0..number).map(|_| node.primary.issue(account)).collect();
    node.prove().await;
    let answers = join_all(tokens.iter().map(|token| node.check(token))).await;
    assert!(answers.iter().all(|answer| answer.is_valid()));
    tokens
}

#[tokio::test]
async fn what_is_malformed_is_not_looked_up() {
    let node = Node::start().await;
    let good = good_ones(&node, 1).await;
    let before = node.status();
    let text = &good[0].text;
    let (front, last) = text.split_at(text.len() - 1);
    let flipped = format!("{front}{}", if last == "0" { "1" } else { "0" });
    let long = "x".repeat(1 << 16);
    let garbage = [
        "",
        "tk_live_",
        front,
        &flipped,
        &text.to_uppercase(),
        "tk_live_\u{0}",
        &long,
    ];
    let fresh = Requirement {
        fresh: true,
        ..Requirement::default()
    };
    for text in garbage {
        for requirement in [Requirement::default(), fresh] {
            let answer = node.engine.verify(text.as_bytes(), &requirement).await;
            assert_eq!(answer.verdict, Verdict::Malformed);
        }
    }
    let after = node.status();
    assert_eq!(after.counts.malformed, 2 * garbage.len() as u64);
    assert_eq!(after.counts.lookups, before.counts.lookups);
    assert_eq!(after.memory, before.memory, "nothing is remembered of it");
}

#[tokio::test]
async fn a_flood_of_made_up_tokens_is_bounded_and_good_ones_are_hits() {
    let fill = FillLimits {
        batch: 16,
        in_flight: 2,
        queue: 64,
        ..config().fill
    };
    let config = EngineConfig {
        fill,
        negative_entries: 256,
        ..config()
    };
    let node = Node::start_with(config, Arc::default()).await;
    let good = good_ones(&node, 50).await;
    let before = node.status();
    let first = node.primary.lookups();

    node.primary.hold();
    let junk: Vec<_> = (0..1000).map(|_| node.primary.made_up()).collect();
    let flood = tokio::spawn({
        let engine = node.engine.clone();
        async move {
            let nothing = Requirement::default();
            let asked = junk
                .iter()
                .map(|text| engine.verify(text.as_bytes(), &nothing));
            join_all(asked).await
        }
    });
    node.until(|status| status.waiting == 64).await;
    node.primary.wait_for_lookups(first + 2).await;
    assert_eq!(node.primary.lookups(), first + 2, "no more at a time");
    for token in &good {
        let answer = node.check(token).await;
        assert_eq!(
            (answer.verdict, answer.cache),
            (Verdict::Valid, CacheUse::Hit)
        );
    }
    node.primary.release();

    let answers = flood.await.unwrap();
    let told = |verdict| answers.iter().filter(|it| it.verdict == verdict).count();
    // What nobody had time to look up is not said to be nothing.
    assert_eq!(told(Verdict::NotFound), 64);
    assert_eq!(told(Verdict::Unavailable), 1000 - 64);
    let after = node.status();
    assert_eq!(after.counts.digests_read - before.counts.digests_read, 64);
    assert!(after.counts.lookups - before.counts.lookups <= 64 / 16 + 2);
    assert!(after.memory.negative_entries <= 256);
    assert_eq!(after.memory.entries, before.memory.entries);
    let hits = after.counts.hits - before.counts.hits;
    assert_eq!(hits, good.len() as u64);
}

#[tokio::test]
async fn a_good_token_that_is_cold_waits_for_those_before_it_and_for_no_others() {
    const CLIENTS: usize = 1000;
    let node = Arc::new(Node::start().await);
    let cold = node.primary.issue(node.primary.register());
    node.prove().await;
    let stop = CancellationToken::new();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (node, stop) = (node.clone(), stop.clone());
            tokio::spawn(async move {
                while !stop.is_cancelled() {
                    let text = node.primary.made_up();
                    let answer = node.check_text(&text).await;
                    assert_eq!(answer.verdict, Verdict::NotFound);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    node.until(|status| status.counts.digests_read > 10 * CLIENTS as u64)
        .await;

    let before = node.status().counts.digests_read;
    assert_eq!(node.verdict(&cold).await, Verdict::Valid);
    let between = node.status().counts.digests_read - before;
    // Those who were there, those under way, and those who came while it was being answered.
    assert!(between <= 4 * CLIENTS as u64, "{between} came before it");
    stop.cancel();
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn a_known_token_in_doubt_is_read_before_a_queue_full_of_made_up_ones() {
    let fill = FillLimits {
        batch: 8,
        in_flight: 1,
        queue: 64,
        ..config().fill
    };
    let config = EngineConfig { fill, ..config() };
    let node = Node::start_with(config, Arc::default()).await;
    let good = good_ones(&node, 1).await;
    let first = node.primary.lookups();

    node.primary.hold();
    let junk: Vec<_> = (0..64).map(|_| node.primary.made_up()).collect();
    let flood = tokio::spawn({
        let engine = node.engine.clone();
        async move {
            let nothing = Requirement::default();
            let asked = junk
                .iter()
                .map(|text| engine.verify(text.as_bytes(), &nothing));
            join_all(asked).await
        }
    });
    node.until(|status| status.waiting == 64).await;
    node.primary.wait_for_lookups(first + 1).await;
    let unread = node.check_text(&node.primary.made_up()).await;
    assert_eq!(unread.verdict, Verdict::Unavailable, "the queue is full");

    // Its owner changes it: what memory holds is worth nothing until it is read.
    let change = node.primary.set_scopes(&good[0], &["write"]);
    node.engine.committed(&change);
    let check = node.check_later(&good[0]);
    node.until(|status| status.waiting == 65).await;
    // The look-up under way, and then the one that holds it.
    node.primary.release_up_to(first + 2);
    assert_eq!(check.await.unwrap().verdict, Verdict::Valid);
    node.primary.release();
    let answers = flood.await.unwrap();
    assert!(answers.iter().all(|it| it.verdict == Verdict::NotFound));
}
