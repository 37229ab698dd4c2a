//! What a node tells of itself, so that whoever revokes knows whom to wait for.

use std::sync::Arc;
use std::time::Duration;

use tollkeeper_authn::{Attendance, EngineConfig, Freshness, StalePolicy};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::wait_for;

use crate::node::{Node, config};

const MINUTE: Duration = Duration::from_secs(60);

fn positions(node: &Node) -> Vec<Option<u64>> {
    let told = node.primary.attended();
    let position = |it: &Option<Attendance>| it.and_then(|it| it.applied).map(|it| it.position);
    told.iter().map(position).collect()
}

#[tokio::test]
async fn a_node_is_known_before_it_answers_and_tells_at_once_how_far_it_has_come() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    assert_eq!(positions(&node)[..2], [None, Some(0)]);
    let before = positions(&node).len();
    node.prove().await;
    // What it has just applied is told in the same pass, not in the next.
    assert_eq!(positions(&node)[before..], [Some(0), Some(2)]);
    node.primary.revoke(&token);
    let before = positions(&node).len();
    node.prove().await;
    assert_eq!(positions(&node)[before..], [Some(2), Some(3)]);
    let before = positions(&node).len();
    node.prove().await;
    assert_eq!(positions(&node)[before..], [Some(3)]);
}

#[tokio::test]
async fn a_node_answers_no_longer_than_it_has_said() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    node.prove().await;
    let said = node.primary.attended().last().unwrap().unwrap();
    assert_eq!(said.valid_for, Some(MINUTE));
    node.primary.set_cut(true);
    node.clock.pass(MINUTE);
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    node.clock.pass(Duration::from_nanos(1_000));
    assert_eq!(node.verdict(&token).await, Verdict::Unavailable);
}

/// Receipts pass over a node whose time is over, until they can read that it attends again. A head that
/// was read by the same statement may be of before a change that such a receipt was about.
#[tokio::test]
async fn a_node_whose_time_was_over_reads_the_head_after_it_is_known_again() {
    let node = Node::start().await;
    node.prove().await;
    let attended = |before: usize| positions(&node).len() - before;
    let before = positions(&node).len();
    node.clock.pass(MINUTE - Duration::from_secs(1));
    node.prove().await;
    assert_eq!(attended(before), 1);
    let before = positions(&node).len();
    node.clock.pass(MINUTE);
    node.prove().await;
    assert_eq!(attended(before), 2);
    assert_eq!(node.status().freshness, Freshness::Live);
}

#[tokio::test]
async fn a_node_that_may_go_on_without_the_primary_says_so() {
    let config = EngineConfig {
        stale_policy: StalePolicy::Allow,
        ..config()
    };
    let node = Node::start_with(config, Default::default()).await;
    let said = node.primary.attended().last().unwrap().unwrap();
    assert_eq!(said.valid_for, None);
}

#[tokio::test]
async fn a_node_that_stops_says_so_and_answers_nothing_more() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    let revoked = node.primary.issue(node.primary.register());
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    assert_eq!(node.verdict(&revoked).await, Verdict::Valid);
    node.primary.revoke(&revoked);
    node.prove().await;
    node.stop();
    wait_for("the node to leave", async || {
        node.primary.attended().last() == Some(&None)
    })
    .await;
    assert_eq!(node.status().freshness, Freshness::Unavailable);
    assert_eq!(node.verdict(&token).await, Verdict::Unavailable);
    assert_eq!(node.verdict(&revoked).await, Verdict::Revoked);
}

#[tokio::test]
async fn an_engine_of_which_a_part_died_answers_nothing_by_its_proof() {
    let config = EngineConfig {
        proof_interval: Duration::from_millis(1),
        stale_policy: StalePolicy::Allow,
        ..config()
    };
    let node = Node::start_with(config, Arc::default()).await;
    let token = node.primary.issue(node.primary.register());
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    node.primary.break_down();
    wait_for("the engine to know of its end", async || {
        node.remembered(&token) == Some(Verdict::Unavailable)
    })
    .await;
}
