//! Bounds: memory, queue, time, and how often the primary is asked.

use std::sync::Arc;

use futures::future::join_all;
use tollkeeper_authn::{CacheUse, EngineConfig, FillLimits, Requirement, Verification};
use tollkeeper_domain::account::Lifecycle;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::wait_for;

use crate::node::{Node, config};

fn limited(fill: FillLimits) -> EngineConfig {
    EngineConfig { fill, ..config() }
}

#[tokio::test]
async fn a_thousand_who_ask_for_one_token_cause_one_look_up() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary.hold();
    let checks: Vec<_> = (0..1000).map(|_| node.check_later(&token)).collect();
    node.until(|status| status.waiting == 1000).await;
    node.primary.release();
    for check in checks {
        assert_eq!(check.await.unwrap().verdict, Verdict::Valid);
    }
    assert_eq!(node.primary.lookups(), 1);
    assert_eq!(node.status().counts.misses, 1000);
}

#[tokio::test]
async fn misses_share_look_ups_and_few_are_under_way() {
    let node = Node::start().await;
    let account = node.primary.register();
    let tokens: Vec<_> = (0..1000).map(|_| node.primary.issue(account)).collect();
    node.primary.hold();
    let checks: Vec<_> = tokens.iter().map(|token| node.check_later(token)).collect();
    node.until(|status| status.waiting == 1000).await;
    node.primary.wait_for_lookups(4).await;
    assert_eq!(node.primary.lookups(), 4, "no more than that at once");
    node.primary.release();
    for check in checks {
        assert_eq!(check.await.unwrap().verdict, Verdict::Valid);
    }
    assert!(
        node.primary.lookups() <= 12,
        "{} look-ups",
        node.primary.lookups()
    );
    assert_eq!(node.status().counts.digests_read, 1000);
}

#[tokio::test]
async fn those_asked_about_together_are_read_together() {
    let node = Node::start().await;
    let account = node.primary.register();
    let known = node.primary.issue(account);
    assert_eq!(node.verdict(&known).await, Verdict::Valid);
    let mut texts: Vec<_> = (0..98).map(|_| node.primary.issue(account).text).collect();
    texts.insert(17, known.text);
    texts.insert(40, node.primary.made_up());
    texts.insert(41, texts[0].clone());
    let ask = async |requirement: Requirement<'static>| {
        let checks: Vec<_> = texts
            .iter()
            .map(|text| (text.as_bytes(), requirement))
            .collect();
        node.engine.verify_all(&checks).await
    };

    let cold = ask(Requirement::default()).await;
    assert_eq!(node.primary.lookups(), 2, "one before, and one for all");
    assert_eq!(node.status().counts.digests_read, 1 + 99, "each once");
    let warm = ask(Requirement::default()).await;
    assert_eq!(node.primary.lookups(), 2);
    let fresh = Requirement {
        fresh: true,
        ..Requirement::default()
    };
    let fresh = ask(fresh).await;
    assert_eq!(node.primary.lookups(), 3);
    for (place, text) in texts.iter().enumerate() {
        let alone = node.check_text(text).await;
        for answer in [&cold[place], &warm[place], &fresh[place]] {
            assert_eq!(answer.verdict, alone.verdict, "{place}");
            let id = |it: &Verification| it.identity().map(|it| it.token_id());
            assert_eq!(id(answer), id(&alone), "{place}");
        }
        let known = CacheUse::Hit;
        assert_eq!(warm[place].cache, known);
        assert_eq!(cold[place].cache == known, place == 17);
        assert_eq!(fresh[place].cache, CacheUse::Miss);
    }
}

#[tokio::test]
async fn made_up_tokens_neither_push_out_real_ones_nor_grow_memory() {
    let config = EngineConfig {
        negative_entries: 256,
        ..config()
    };
    let node = Node::start_with(config, Default::default()).await;
    let account = node.primary.register();
    let tokens: Vec<_> = (0..100).map(|_| node.primary.issue(account)).collect();
    join_all(tokens.iter().map(|token| node.check(token))).await;
    for _ in 0..20 {
        let junk: Vec<_> = (0..500).map(|_| node.primary.made_up()).collect();
        for answer in join_all(junk.iter().map(|text| node.check_text(text))).await {
            assert_eq!(answer.verdict, Verdict::NotFound);
        }
    }
    let memory = node.status().memory;
    assert!(memory.negative_entries <= 256, "{memory:?}");
    for token in &tokens {
        assert_eq!(node.remembered(token), Some(Verdict::Valid));
    }
}

#[tokio::test]
async fn a_full_queue_answers_unavailable_at_once() {
    let fill = FillLimits {
        queue: 10,
        ..config().fill
    };
    let node = Node::start_with(limited(fill), Default::default()).await;
    let account = node.primary.register();
    let known = node.primary.issue(account);
    assert_eq!(node.verdict(&known).await, Verdict::Valid);
    node.primary.hold();
    let tokens: Vec<_> = (0..10).map(|_| node.primary.issue(account)).collect();
    let checks: Vec<_> = tokens.iter().map(|token| node.check_later(token)).collect();
    node.until(|status| status.waiting == 10).await;

    let one_more = node.primary.issue(account);
    assert_eq!(node.verdict(&one_more).await, Verdict::Unavailable);
    assert_eq!(
        node.verdict(&known).await,
        Verdict::Valid,
        "memory still answers"
    );
    node.primary.release();
    for check in checks {
        assert_eq!(check.await.unwrap().verdict, Verdict::Valid);
    }
    assert_eq!(node.verdict(&one_more).await, Verdict::Valid);
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_is_told_unavailable_and_nothing_is_remembered() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary.hold();
    assert_eq!(node.verdict(&token).await, Verdict::Unavailable);
    node.primary.release();
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
}

#[tokio::test]
async fn a_failed_read_is_unavailable_and_never_not_found() {
    let node = Node::start().await;
    let text = node.primary.made_up();
    node.primary.set_cut(true);
    assert_eq!(node.check_text(&text).await.verdict, Verdict::Unavailable);
    node.primary.set_cut(false);
    assert_eq!(node.check_text(&text).await.verdict, Verdict::NotFound);
    assert_eq!(node.status().counts.reads_failed, 1);
}

#[tokio::test]
async fn one_event_denies_a_hundred_thousand_tokens() {
    let node = Node::start().await;
    let account = node.primary.register();
    let mut tokens = Vec::new();
    for _ in 0..100 {
        let some: Vec<_> = (0..1000).map(|_| node.primary.issue(account)).collect();
        for answer in join_all(some.iter().map(|token| node.check(token))).await {
            assert_eq!(answer.verdict, Verdict::Valid);
        }
        tokens.extend(some);
        node.prove().await;
    }
    assert_eq!(node.status().memory.entries, 100_000);
    assert_eq!(node.status().memory.accounts, 1);
    node.primary.set_account(account, Lifecycle::Suspended);
    node.prove().await;
    for token in &tokens {
        assert_eq!(node.remembered(token), Some(Verdict::AccountSuspended));
    }
}

#[tokio::test]
async fn memory_keeps_its_bound_and_the_index_follows() {
    let config = EngineConfig {
        cache_bytes: 1 << 20,
        ..config()
    };
    let node = Node::start_with(config, Default::default()).await;
    for _ in 0..10 {
        let tokens: Vec<_> = (0..1000)
            .map(|_| node.primary.issue(node.primary.register()))
            .collect();
        join_all(tokens.iter().map(|token| node.check(token))).await;
    }
    let memory = node.status().memory;
    assert!(memory.bytes <= 1 << 20, "{memory:?}");
    assert!(
        memory.entries > 100 && memory.entries < 10_000,
        "{memory:?}"
    );
    assert_eq!(memory.tokens, memory.entries);
    assert_eq!(memory.accounts, memory.entries);
    assert_eq!(memory.max_bytes, 1 << 20);
    assert_eq!(memory.evicted, 10_000 - memory.entries as u64);
}

#[tokio::test]
async fn the_secrets_of_one_token_are_indexed_together() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    assert_eq!(node.status().memory.tokens, 1);
    let renewed = node.primary.rotate(&token, 0);
    node.prove().await;
    assert_eq!(node.verdict(&token).await, Verdict::Expired);
    assert_eq!(node.verdict(&renewed).await, Verdict::Valid);
    let memory = node.status().memory;
    assert_eq!(memory.evicted, 0, "what is read again makes no room");
    assert_eq!((memory.tokens, memory.entries, memory.accounts), (1, 2, 1));
}

#[tokio::test]
async fn an_engine_that_stopped_lets_nobody_wait() {
    let node = Node::start().await;
    let account = node.primary.register();
    let (known, unread) = (node.primary.issue(account), node.primary.issue(account));
    assert_eq!(node.verdict(&known).await, Verdict::Valid);
    node.stop();
    let answer = Arc::clone(&node.engine);
    let text = unread.text.clone();
    assert_eq!(
        answer
            .verify(text.as_bytes(), &Default::default())
            .await
            .verdict,
        Verdict::Unavailable
    );
    wait_for("memory to answer no more", async || {
        node.verdict(&known).await == Verdict::Unavailable
    })
    .await;
}
