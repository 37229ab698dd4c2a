//! How old the node's knowledge is, and what it may still answer.

use std::time::Duration;

use tollkeeper_authn::{Freshness, Requirement};
use tollkeeper_domain::account;
use tollkeeper_domain::token::Lifecycle;
use tollkeeper_domain::verdict::Verdict;

use crate::node::{Node, config};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_node_without_a_proof_is_unavailable() {
    let primary: std::sync::Arc<crate::primary::Primary> = Default::default();
    primary.set_cut(true);
    let token = primary.issue(primary.register());
    let node = Node::start_unproven(config(), primary);
    assert!(node.engine.prove().await.is_err());
    assert_eq!(node.status().freshness, Freshness::Unavailable);
    let fresh = Requirement {
        fresh: true,
        ..Requirement::default()
    };
    for requirement in [Requirement::default(), fresh] {
        let answer = node
            .engine
            .verify(token.text.as_bytes(), &requirement)
            .await;
        assert_eq!((answer.verdict, answer.age), (Verdict::Unavailable, None));
    }
    node.primary.set_cut(false);
    node.prove().await;
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
}

#[tokio::test]
async fn knowledge_grows_stale_and_then_unavailable() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    node.primary.set_cut(true);
    for (passed, freshness, verdict) in [
        (2, Freshness::Live, Verdict::Valid),
        (1, Freshness::Stale, Verdict::Valid),
        (57, Freshness::Stale, Verdict::Valid),
        (1, Freshness::Unavailable, Verdict::Unavailable),
    ] {
        node.clock.pass(SECOND * passed);
        assert!(node.engine.prove().await.is_err());
        assert_eq!(node.status().freshness, freshness);
        let answer = node.check(&token).await;
        assert_eq!(answer.verdict, verdict);
        assert_eq!(answer.identity().unwrap().token_id(), token.id);
    }
    node.primary.set_cut(false);
    node.prove().await;
    assert_eq!(node.status().freshness, Freshness::Live);
    assert_eq!(node.remembered(&token), Some(Verdict::Valid));
}

#[tokio::test]
async fn a_revocation_once_seen_denies_however_stale() {
    let node = Node::start().await;
    let account = node.primary.register();
    let (revoked, other) = (node.primary.issue(account), node.primary.issue(account));
    let orphan = node.primary.issue(node.primary.register());
    for token in [&revoked, &other, &orphan] {
        assert_eq!(node.verdict(token).await, Verdict::Valid);
    }
    node.primary.revoke(&revoked);
    node.primary
        .set_account(orphan.account, account::Lifecycle::Deleted);
    node.prove().await;
    node.primary.set_cut(true);
    node.clock.pass(SECOND * 1000);
    assert_eq!(node.verdict(&revoked).await, Verdict::Revoked);
    assert_eq!(node.verdict(&orphan).await, Verdict::AccountSuspended);
    assert_eq!(node.verdict(&other).await, Verdict::Unavailable);
}

#[tokio::test]
async fn a_deployment_may_choose_to_go_on() {
    let node = Node::start_allowing_stale().await;
    let account = node.primary.register();
    let (known, revoked) = (node.primary.issue(account), node.primary.issue(account));
    let unread = node.primary.issue(account);
    assert_eq!(node.verdict(&known).await, Verdict::Valid);
    assert_eq!(node.verdict(&revoked).await, Verdict::Valid);
    node.primary.revoke(&revoked);
    node.prove().await;
    node.primary.set_cut(true);
    node.clock.pass(SECOND * 1000);
    assert_eq!(node.status().freshness, Freshness::Stale);
    assert_eq!(node.verdict(&known).await, Verdict::Valid);
    assert_eq!(node.verdict(&revoked).await, Verdict::Revoked);
    assert_eq!(node.verdict(&unread).await, Verdict::Unavailable);
}

#[tokio::test]
async fn a_process_that_was_frozen_knows_it() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    node.primary.revoke(&token);
    // Nothing ran for 70 s; the first thing to run is a request.
    node.clock.pass(SECOND * 70);
    assert_eq!(node.remembered(&token), Some(Verdict::Unavailable));
    node.prove().await;
    assert_eq!(node.remembered(&token), Some(Verdict::Revoked));
}

#[tokio::test]
async fn either_clock_alone_tells_of_the_time_that_passed() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    node.clock.pass_boot(SECOND * 61);
    assert_eq!(node.remembered(&token), Some(Verdict::Unavailable));
    node.prove().await;
    node.clock.move_wall(61_000_000);
    assert_eq!(node.remembered(&token), Some(Verdict::Unavailable));
    node.prove().await;
    node.clock.move_wall(-3_600_000_000);
    assert_eq!(node.remembered(&token), Some(Verdict::Valid));
    assert_eq!(node.check(&token).await.age, Some(Duration::ZERO));
    node.clock.pass_boot(SECOND * 3);
    assert_eq!(
        node.status().freshness,
        Freshness::Stale,
        "set back, it still grows old"
    );
}

#[tokio::test]
async fn a_restored_backup_makes_the_node_forget() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    let backup = node.primary.backup();
    node.primary.revoke(&token);
    node.prove().await;
    assert_eq!(node.verdict(&token).await, Verdict::Revoked);

    node.primary.restore(backup);
    node.prove().await;
    assert_eq!(node.status().counts.restarts, 1);
    assert_eq!(node.status().memory.entries, 0);
    assert_eq!(
        node.verdict(&token).await,
        Verdict::Valid,
        "the primary says so"
    );
    assert_eq!(node.status().applied_position, Some(2));
}

#[tokio::test]
async fn another_history_of_the_same_or_greater_length_is_noticed() {
    for extra in [0, 1, 5] {
        let node = Node::start().await;
        let token = node.primary.issue(node.primary.register());
        let mut backup = node.primary.backup();
        node.primary.append_noise(1);
        node.prove().await;
        assert_eq!(node.verdict(&token).await, Verdict::Valid);

        backup.history = 1;
        node.primary.restore(backup);
        node.primary.revoke(&token);
        node.primary.append_noise(extra);
        node.prove().await;
        assert_eq!(node.status().counts.restarts, 1, "{extra} more events");
        assert_eq!(node.verdict(&token).await, Verdict::Revoked);
        node.primary.append_noise(1);
        node.prove().await;
        assert_eq!(node.status().counts.restarts, 1);
    }
}

#[tokio::test]
async fn a_read_from_before_a_restore_is_refused() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    let backup = node.primary.backup();
    node.primary.resume(&token);
    node.prove().await;

    node.primary.hold();
    let check = node.check_later(&token);
    node.primary.wait_for_lookups(1).await;
    node.primary.restore(backup);
    node.prove().await;
    node.primary.release();
    let answer = check.await.unwrap();
    assert_eq!(answer.identity().unwrap().version(), 1);
    assert_eq!(node.primary.lookups(), 2);
}

#[tokio::test]
async fn a_read_that_finds_the_log_shorter_is_not_believed_and_asks_for_a_proof() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    let backup = node.primary.backup();
    node.primary.revoke(&token);
    node.prove().await;

    node.primary.restore(backup);
    assert_eq!(node.verdict(&token).await, Verdict::Unavailable);
    node.until(|status| status.counts.restarts == 1).await;
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
}

#[tokio::test]
async fn many_pages_of_events_are_applied_before_the_proof_moves() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.prove().await;
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    node.primary.append_noise(2_500);
    node.primary.revoke(&token);
    node.prove().await;
    assert_eq!(node.status().applied_position, Some(2_503));
    assert_eq!(node.status().counts.restarts, 0);
    assert_eq!(node.remembered(&token), Some(Verdict::Revoked));
}

#[tokio::test]
async fn a_node_far_behind_starts_over() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.prove().await;
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    node.primary.revoke(&token);
    node.primary.append_noise(50_001);
    node.prove().await;
    assert_eq!(node.status().counts.restarts, 1);
    assert_eq!(node.verdict(&token).await, Verdict::Revoked);
}

#[tokio::test]
async fn rows_that_a_rebuild_put_right_are_read_again() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary.tamper(&token, Lifecycle::Revoked);
    node.prove().await;
    assert_eq!(node.verdict(&token).await, Verdict::Revoked);

    node.primary.rebuild(&token, Lifecycle::Active);
    node.prove().await;
    assert_eq!(node.status().counts.restarts, 1);
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    node.primary.append_noise(1);
    node.prove().await;
    assert_eq!(node.status().counts.restarts, 1, "once for each rebuild");
}

#[tokio::test]
async fn a_read_from_before_a_rebuild_is_refused() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary.revoke(&token);
    node.primary.tamper(&token, Lifecycle::Active);
    node.prove().await;

    node.primary.hold();
    let check = node.check_later(&token);
    node.primary.wait_for_lookups(1).await;
    node.primary.rebuild(&token, Lifecycle::Revoked);
    node.prove().await;
    node.primary.release();
    assert_eq!(check.await.unwrap().verdict, Verdict::Revoked);
    assert_eq!(node.remembered(&token), Some(Verdict::Revoked));
    assert_eq!(node.primary.lookups(), 2);
}
