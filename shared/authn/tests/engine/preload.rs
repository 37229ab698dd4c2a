//! The warm start, and what overtakes it.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tollkeeper_authn::{CacheUse, EngineConfig, SourceError};
use tollkeeper_domain::account::Lifecycle;
use tollkeeper_domain::verdict::Verdict;

use crate::node::{Node, config};
use crate::primary::Held;

/// Tokens of one account, of which the last one was used last.
fn used(node: &Node, number: usize) -> Vec<Held> {
    let account = node.primary.register();
    let tokens: Vec<_> = (0..number).map(|_| node.primary.issue(account)).collect();
    tokens.iter().for_each(|token| node.primary.note_use(token));
    tokens
}

fn preload_later(node: &Node) -> JoinHandle<Result<usize, SourceError>> {
    let engine = Arc::clone(&node.engine);
    tokio::spawn(async move { engine.preload(1000).await })
}

#[tokio::test]
async fn the_tokens_used_last_are_in_memory_before_anybody_asks() {
    let node = Node::start().await;
    let tokens = used(&node, 300);
    node.prove().await;
    assert_eq!(node.engine.preload(200).await.unwrap(), 200);
    let known = |token: &Held| node.remembered(token) == Some(Verdict::Valid);
    assert!(tokens[100..].iter().all(known));
    assert!(!tokens[..100].iter().any(known));
    assert_eq!(node.primary.lookups(), 2, "in batches");
    assert_eq!(node.status().counts.misses, 100, "those just looked for");
    assert_eq!(node.engine.preload(0).await.unwrap(), 0);
}

#[tokio::test]
async fn it_takes_no_more_than_memory_has_room_for() {
    let config = EngineConfig {
        cache_bytes: 4 << 20,
        ..config()
    };
    let node = Node::start_with(config, Arc::default()).await;
    let tokens = used(&node, 8000);
    node.prove().await;
    let known = node.engine.preload(8000).await.unwrap();
    assert!((1000..8000).contains(&known), "{known}");
    let memory = node.status().memory;
    assert!(memory.bytes <= 4 << 20, "{memory:?}");
    assert_eq!(memory.entries, known, "none was pushed out");
    assert_eq!(node.remembered(&tokens[7999]), Some(Verdict::Valid));
}

#[tokio::test]
async fn a_revocation_in_the_middle_of_it_wins() {
    // Told by the log, by this process, and by a message alone.
    for told in ["log", "committed", "hint"] {
        let node = Node::start().await;
        let tokens = used(&node, 3);
        node.prove().await;
        node.primary.hold();
        let preload = preload_later(&node);
        node.primary.wait_for_lookups(1).await;
        let revoked = node.primary.revoke(&tokens[1]);
        match told {
            "log" => node.prove().await,
            "committed" => node.engine.committed(&revoked),
            _ => node.engine.hint(&revoked),
        }
        node.primary.release();

        assert_eq!(preload.await.unwrap().unwrap(), 3, "{told}");
        assert_eq!(
            node.remembered(&tokens[1]),
            Some(Verdict::Revoked),
            "{told}"
        );
        assert_eq!(node.remembered(&tokens[0]), Some(Verdict::Valid), "{told}");
        assert_eq!(node.primary.lookups(), 2, "{told}: read again");
    }
}

#[tokio::test]
async fn an_account_suspended_in_the_middle_of_it_stays_so() {
    let node = Node::start().await;
    let tokens = used(&node, 3);
    node.prove().await;
    node.primary.hold();
    let preload = preload_later(&node);
    node.primary.wait_for_lookups(1).await;
    let account = tokens[0].account;
    node.primary.set_account(account, Lifecycle::Suspended);
    node.prove().await;
    node.primary.release();

    assert_eq!(preload.await.unwrap().unwrap(), 3);
    for token in &tokens {
        assert_eq!(node.remembered(token), Some(Verdict::AccountSuspended));
    }
}

#[tokio::test]
async fn a_restore_in_the_middle_of_it_leaves_nothing_of_before() {
    let node = Node::start().await;
    let tokens = used(&node, 2);
    let backup = node.primary.backup();
    node.primary.resume(&tokens[0]);
    node.prove().await;
    node.primary.hold();
    let preload = preload_later(&node);
    node.primary.wait_for_lookups(1).await;
    node.primary.restore(backup);
    node.prove().await;
    node.primary.release();

    preload.await.unwrap().unwrap();
    let answer = node.check(&tokens[0]).await;
    assert_eq!(answer.identity().unwrap().version(), 1);
}

#[tokio::test]
async fn who_asks_meanwhile_does_not_wait_for_it() {
    let node = Node::start().await;
    let tokens = used(&node, 300);
    let account = tokens[0].account;
    let asked = node.primary.issue(account);
    node.prove().await;
    node.primary.hold();
    let preload = preload_later(&node);
    node.primary.wait_for_lookups(1).await;
    // One is also asked for by somebody: it is read once. Another is not among them.
    let same = node.check_later(&tokens[299]);
    let other = node.check_later(&asked);
    node.primary.wait_for_lookups(2).await;
    node.primary.release_only(2);
    let answer = other.await.unwrap();
    assert_eq!(
        (answer.verdict, answer.cache),
        (Verdict::Valid, CacheUse::Miss)
    );
    assert_eq!(
        node.primary.lookups(),
        2,
        "it keeps to one look-up at a time"
    );
    node.primary.release();
    assert_eq!(same.await.unwrap().verdict, Verdict::Valid);
    assert_eq!(preload.await.unwrap().unwrap(), 300);
    assert_eq!(node.status().counts.digests_read, 301);
}

#[tokio::test]
async fn a_primary_out_of_reach_ends_it() {
    let node = Node::start().await;
    let tokens = used(&node, 300);
    node.prove().await;
    node.primary.set_cut(true);
    assert!(node.engine.preload(1000).await.is_err());
    node.primary.set_cut(false);

    node.primary.hold();
    let preload = preload_later(&node);
    node.primary.wait_for_lookups(1).await;
    node.primary.set_cut(true);
    node.primary.release();
    assert!(preload.await.unwrap().is_err());
    node.primary.set_cut(false);
    assert_eq!(node.verdict(&tokens[0]).await, Verdict::Valid);
}

#[tokio::test]
async fn one_given_up_half_way_leaves_nobody_waiting() {
    let node = Node::start().await;
    let tokens = used(&node, 300);
    node.prove().await;
    node.primary.hold();
    let preload = preload_later(&node);
    node.primary.wait_for_lookups(1).await;
    preload.abort();
    assert!(preload.await.unwrap_err().is_cancelled());
    node.primary.release();
    assert_eq!(node.verdict(&tokens[0]).await, Verdict::Valid);
    assert_eq!(node.status().waiting, 0);
}

#[tokio::test]
async fn it_can_wait_for_the_first_proof() {
    let primary: Arc<crate::primary::Primary> = Arc::default();
    primary.set_cut(true);
    let node = Node::start_unproven(config(), primary);
    let engine = Arc::clone(&node.engine);
    let proven = tokio::spawn(async move { engine.proven().await });
    assert!(node.engine.prove().await.is_err());
    assert!(!proven.is_finished());
    node.primary.set_cut(false);
    node.prove().await;
    proven.await.unwrap();
}
