//! Messages: fast where they are true, at worst a read where they are not.

use tollkeeper_authn::{Change, Effect, FeedEvent};
use tollkeeper_domain::account::Lifecycle;
use tollkeeper_domain::verdict::Verdict;

use crate::node::Node;
use crate::primary::Held;

fn forged(token: &Held, effect: Effect) -> FeedEvent {
    FeedEvent {
        position: 1_000_000,
        version: 1_000_000,
        recorded_at_micros: None,
        change: Change::Token {
            id: token.id,
            effect,
            secrets: Vec::new(),
        },
    }
}

#[tokio::test]
async fn a_hinted_revocation_denies_by_the_next_check() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    node.engine.hint(&node.primary.revoke(&token));
    assert_eq!(node.remembered(&token), None);
    assert_eq!(node.verdict(&token).await, Verdict::Revoked);
    assert_eq!(node.primary.lookups(), 2);
    // Heard again, it costs nothing.
    node.prove().await;
    assert_eq!(node.remembered(&token), Some(Verdict::Revoked));
}

#[tokio::test]
async fn a_forged_hint_costs_one_read() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    for (reads, effect) in [
        (2, Effect::Ended),
        (3, Effect::Suspended),
        (4, Effect::Changed),
    ] {
        assert_eq!(node.verdict(&token).await, Verdict::Valid);
        node.engine.hint(&forged(&token, effect));
        assert_eq!(node.verdict(&token).await, Verdict::Valid);
        assert_eq!(node.remembered(&token), Some(Verdict::Valid));
        assert_eq!(node.primary.lookups(), reads);
    }
    let account = FeedEvent {
        position: 9,
        version: 9,
        recorded_at_micros: None,
        change: Change::Account {
            id: token.account,
            effect: Effect::Ended,
        },
    };
    node.engine.hint(&account);
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    assert_eq!(node.primary.lookups(), 5);
}

#[tokio::test]
async fn a_forged_hint_does_not_hide_a_true_revocation() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    node.engine.hint(&forged(&token, Effect::Changed));
    node.primary.revoke(&token);
    node.prove().await;
    assert_eq!(node.remembered(&token), Some(Verdict::Revoked));
}

#[tokio::test]
async fn hints_move_neither_proof_nor_position() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.prove().await;
    node.clock.pass(std::time::Duration::from_secs(1));
    let before = (node.status().applied_position, node.status().proof_age);
    node.engine.hint(&forged(&token, Effect::Changed));
    node.engine.committed(&node.primary.suspend(&token));
    assert_eq!(
        (node.status().applied_position, node.status().proof_age),
        before
    );
    node.prove().await;
    assert_eq!(node.status().applied_position, Some(3));
}

#[tokio::test]
async fn denials_by_hint_are_believed_while_the_primary_cannot_be_asked() {
    let node = Node::start().await;
    let account = node.primary.register();
    let issue = || node.primary.issue(account);
    let (revoked, suspended, changed) = (issue(), issue(), issue());
    let other = node.primary.issue(node.primary.register());
    for token in [&revoked, &suspended, &changed, &other] {
        assert_eq!(node.verdict(token).await, Verdict::Valid);
    }
    node.primary.set_cut(true);
    node.engine.hint(&forged(&revoked, Effect::Ended));
    node.engine.hint(&forged(&suspended, Effect::Suspended));
    node.engine.hint(&forged(&changed, Effect::Changed));
    node.engine.hint(
        &node
            .primary
            .set_account(other.account, Lifecycle::Suspended),
    );
    assert_eq!(node.verdict(&revoked).await, Verdict::Revoked);
    assert_eq!(node.verdict(&suspended).await, Verdict::Suspended);
    assert_eq!(
        node.verdict(&changed).await,
        Verdict::Valid,
        "as good as without the hint"
    );
    assert_eq!(node.verdict(&other).await, Verdict::AccountSuspended);

    node.primary.set_cut(false);
    assert_eq!(node.verdict(&revoked).await, Verdict::Valid, "it was a lie");
    assert_eq!(node.verdict(&other).await, Verdict::AccountSuspended);
}

#[tokio::test]
async fn what_the_log_proved_wrong_is_unavailable_while_the_primary_cannot_be_asked() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    node.primary.set_scopes(&token, &[]);
    node.prove().await;
    node.primary.set_cut(true);
    assert_eq!(node.verdict(&token).await, Verdict::Unavailable);
    node.primary.set_cut(false);
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
}

#[tokio::test]
async fn a_flood_of_forged_hints_does_not_keep_a_token_from_being_read() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary.hold();
    let check = node.check_later(&token);
    for lookups in 1..=3 {
        node.primary.wait_for_lookups(lookups).await;
        node.engine.hint(&forged(&token, Effect::Ended));
        node.primary.release_only(lookups);
    }
    assert_eq!(check.await.unwrap().verdict, Verdict::Valid);
    assert_eq!(node.primary.lookups(), 3, "the third stands");
}
