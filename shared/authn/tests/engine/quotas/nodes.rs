//! Quotas across nodes: who hears when of what, and by how much they overshoot.

use super::*;

#[tokio::test]
async fn what_others_used_is_read_with_the_token() {
    for primary in [Primary::default(), Primary::remote()] {
        let primary = Arc::new(primary);
        let other = Node::start_with(config(), Arc::clone(&primary)).await;
        let token = primary.issue(primary.register());
        primary.count(&token, &[("calls", 10, Monthly, 1)]);
        for _ in 0..4 {
            primary.ingest(&other.check(&token).await, Uuid::from_u128(1));
        }
        // Itself before its last start.
        primary.ingest(&other.check(&token).await, Uuid::from_u128(2));
        let node = Node::start_with(config(), Arc::clone(&primary)).await;
        assert_eq!(left(&node, &token).await, [5]);
        // A token without quotas has nothing read.
        let free = primary.issue(token.account);
        assert_eq!(node.verdict(&free).await, Verdict::Valid);
        for owner in [free.id.0, free.account.0] {
            assert_eq!(primary.balances_read(owner), 0);
        }
    }
}

#[tokio::test]
async fn nodes_hear_of_one_another_and_get_together_what_there_is() {
    let primary = Arc::new(Primary::default());
    let nodes = [renewing(1, &primary).await, renewing(2, &primary).await];
    let token = primary.issue(primary.register());
    primary.count(&token, &[("calls", 10, Daily, 1)]);
    for node in &nodes {
        assert_eq!(left(node, &token).await, [10]);
    }
    for _ in 0..6 {
        let answer = nodes[0].check(&token).await;
        assert_eq!(answer.verdict, Verdict::Valid);
        primary.ingest(&answer, Uuid::from_u128(1));
    }
    knows(&nodes[1], &token, &[4]).await;
    for verdict in [Verdict::Valid; 4]
        .into_iter()
        .chain([Verdict::QuotaExceeded; 3])
    {
        let answer = nodes[1].check(&token).await;
        assert_eq!(answer.verdict, verdict);
        primary.ingest(&answer, Uuid::from_u128(2));
    }
    knows(&nodes[0], &token, &[0]).await;
    assert_eq!(nodes[0].verdict(&token).await, Verdict::QuotaExceeded);
}

#[tokio::test]
async fn nodes_overshoot_by_what_is_not_counted_yet_and_no_more() {
    let primary = Arc::new(Primary::default());
    let nodes = [renewing(1, &primary).await, renewing(2, &primary).await];
    let token = primary.issue(primary.register());
    primary.count(&token, &[("calls", 10, Daily, 1)]);
    // Nothing of it is counted before both have used up what they know of.
    let mut passed = Vec::new();
    for (node, source) in nodes.iter().zip([1, 2]) {
        for _ in 0..15 {
            let answer = node.check(&token).await;
            if answer.is_valid() {
                passed.push((answer, Uuid::from_u128(source)));
            }
        }
    }
    assert_eq!(passed.len(), 20, "once over by what the other let through");
    for (answer, source) in passed {
        primary.ingest(&answer, source);
    }
    let key = BalanceKey {
        owner: token.id.0,
        generation: 1,
        period: Daily.period(1_800_000_000 * SECOND),
    };
    assert_eq!(primary.counted(key), 20);
    // A higher limit shows that each of them counts all of it, once.
    primary.count(&token, &[("calls", 25, Daily, 1)]);
    for node in &nodes {
        node.prove().await;
        knows(node, &token, &[5]).await;
    }
}

#[tokio::test]
async fn what_is_on_its_way_is_known_here_however_little_is_counted() {
    let primary = Arc::new(Primary::default());
    let node = renewing(1, &primary).await;
    let token = primary.issue(primary.register());
    primary.count(&token, &[("calls", 10, Daily, 1)]);
    let uses = [node.check(&token).await, node.check(&token).await];
    let before = primary.balances_read(token.id.0);
    wait_for("some renewals", async || {
        left(&node, &token).await;
        primary.balances_read(token.id.0) > before + 2
    })
    .await;
    assert_eq!(left(&node, &token).await, [8]);
    primary.ingest(&uses[0], Uuid::from_u128(1));
    let before = primary.balances_read(token.id.0);
    wait_for("some renewals", async || {
        left(&node, &token).await;
        primary.balances_read(token.id.0) > before + 2
    })
    .await;
    assert_eq!(left(&node, &token).await, [8], "not twice");
}

#[tokio::test]
async fn a_balance_that_nobody_uses_is_not_read() {
    let primary = Arc::new(Primary::default());
    let node = renewing(1, &primary).await;
    let (idle, busy) = (
        primary.issue(primary.register()),
        primary.issue(primary.register()),
    );
    for token in [&idle, &busy] {
        primary.count(token, &[("calls", 10, Daily, 1)]);
        left(&node, token).await;
    }
    let reads = |token: &Held| primary.balances_read(token.id.0);
    let (idle_before, busy_before) = (reads(&idle), reads(&busy));
    wait_for("renewals of the one", async || {
        left(&node, &busy).await;
        reads(&busy) > busy_before + 20
    })
    .await;
    assert!(reads(&idle) <= idle_before + 1, "once for its only use");
}

#[tokio::test]
async fn a_node_that_is_cut_off_goes_on_with_what_it_knows() {
    let primary = Arc::new(Primary::default());
    let node = renewing(1, &primary).await;
    let token = primary.issue(primary.register());
    primary.count(&token, &[("calls", 3, Daily, 1)]);
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    primary.set_cut(true);
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    assert_eq!(node.verdict(&token).await, Verdict::QuotaExceeded);
    // What others used meanwhile is known as soon as the primary can be asked.
    primary.count(&token, &[("calls", 10, Daily, 1)]);
    let elsewhere = Arc::clone(&primary);
    primary.set_cut(false);
    let other = renewing(2, &elsewhere).await;
    primary.ingest(&ask(&other, &token, 4).await, Uuid::from_u128(2));
    node.prove().await;
    knows(&node, &token, &[3]).await;
}
