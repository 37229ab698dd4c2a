//! Who does not pass in the end has used up nothing, of limits neither, and not even for a moment.

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;

/// Asks about both at once, of which one has to be read from a primary that is held; returns when it waits.
async fn ask_together(node: &Node, tokens: [&Held; 2]) -> JoinHandle<Vec<Verification>> {
    let (engine, texts) = (node.engine.clone(), tokens.map(|token| token.text.clone()));
    let asked = tokio::spawn(async move {
        let checks = texts
            .each_ref()
            .map(|text| (text.as_bytes(), Requirement::default()));
        engine.verify_all(&checks).await
    });
    node.until(|status| status.waiting == 1).await;
    asked
}

/// One after the other cannot show it: what is refused by the limit must not even for a moment take the
/// one use that is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_a_limit_refuses_never_stands_in_the_way_of_who_has_a_use_left() {
    let node = Node::start().await;
    let account = node.primary.register();
    let (limited, free) = (node.primary.issue(account), node.primary.issue(account));
    node.primary
        .count_account(account, &[("calls", 2, Never, 1)]);
    node.primary.limit(&limited, &[("requests", 1, 3_600, 1)]);
    assert_eq!(node.verdict(&limited).await, Verdict::Valid);
    let engine = node.engine.clone();
    let stop = CancellationToken::new();
    let stopping = stop.clone().drop_guard();
    let refused = tokio::task::spawn_blocking(move || {
        let mut refused = 0_u32;
        while !stop.is_cancelled() {
            let answer = engine.try_verify(limited.text.as_bytes(), &Requirement::default());
            assert_eq!(answer.unwrap().verdict, Verdict::RateLimited);
            refused += 1;
        }
        refused
    });
    for _ in 0..100_000 {
        let passed = node.check(&free).await;
        assert_eq!(passed.verdict, Verdict::Valid);
        node.engine.give_back(&passed);
    }
    drop(stopping);
    assert!(refused.await.unwrap() > 0);
}

#[tokio::test]
async fn limits_are_given_back_with_quotas() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary.limit(&token, &[("requests", 9, 3_600, 9)]);
    node.primary.count(&token, &[("calls", 9, Daily, 1)]);
    let units = |answer: &Verification| -> Vec<u32> {
        answer.rate_limits().map(|limit| limit.remaining).collect()
    };
    let before = ask(&node, &token, 4).await;
    assert_eq!((units(&before), remaining(&before)), (vec![5], vec![5]));
    let charged = ask(&node, &token, 3).await;
    assert_eq!((units(&charged), remaining(&charged)), (vec![2], vec![2]));
    node.engine.give_back(&charged);
    let refused = ask(&node, &token, 6).await;
    assert_eq!(refused.verdict, Verdict::RateLimited);
    node.engine.give_back(&refused);
    let look = ask(&node, &token, 0).await;
    node.engine.give_back(&look);
    assert_eq!((units(&look), remaining(&look)), (vec![5], vec![5]));
}

#[tokio::test]
async fn who_gives_up_while_other_tokens_are_read_is_charged_nothing() {
    let node = Node::start().await;
    let account = node.primary.register();
    let (known, unread) = (node.primary.issue(account), node.primary.issue(account));
    node.primary.limit(&known, &[("requests", 1, 3_600, 1)]);
    node.primary.count(&known, &[("calls", 1, Never, 1)]);
    assert_eq!(left(&node, &known).await, [1]);
    node.primary.hold();
    let asked = ask_together(&node, [&known, &unread]).await;
    asked.abort();
    assert!(asked.await.is_err());
    node.primary.release();
    assert_eq!(node.verdict(&known).await, Verdict::Valid);
}

#[tokio::test]
async fn what_is_revoked_while_other_tokens_are_read_passes_no_more() {
    let node = Node::start().await;
    let account = node.primary.register();
    let (known, unread) = (node.primary.issue(account), node.primary.issue(account));
    node.primary.count(&known, &[("calls", 1, Never, 1)]);
    assert_eq!(left(&node, &known).await, [1]);
    node.primary.hold();
    let asked = ask_together(&node, [&known, &unread]).await;
    let revoked = node.primary.revoke(&known);
    node.engine.committed(&revoked);
    node.primary.release();
    let answers = asked.await.unwrap();
    assert_eq!(answers[0].verdict, Verdict::Revoked);
    assert!(answers[0].charges().1.is_empty());
    assert_eq!(answers[1].verdict, Verdict::Valid);
}
