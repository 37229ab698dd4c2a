//! Reads that events overtake. Each test is one interleaving that a cache without the rule gets
//! wrong: the read has taken its snapshot, then something happens, then the result arrives.

use std::sync::Arc;

use tollkeeper_authn::{CacheUse, Client, Engine, EngineConfig, Requirement};
use tollkeeper_domain::account::Lifecycle;
use tollkeeper_domain::verdict::Verdict;

use crate::node::{Node, config};

/// A request from this address.
fn at(address: &str) -> Requirement<'static> {
    Requirement {
        client: Client::At(address.parse().unwrap()),
        ..Requirement::default()
    }
}

#[tokio::test]
async fn a_read_overtaken_by_a_revocation_in_the_log_is_made_again() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.prove().await;

    node.primary.hold();
    let check = node.check_later(&token);
    node.primary.wait_for_lookups(1).await;
    node.primary.revoke(&token);
    node.prove().await;
    node.primary.release();

    assert_eq!(check.await.unwrap().verdict, Verdict::Revoked);
    assert_eq!(node.remembered(&token), Some(Verdict::Revoked));
    assert_eq!(node.primary.lookups(), 2);
    assert_eq!(node.status().counts.reads_refused, 1);
}

#[tokio::test]
async fn a_read_overtaken_by_a_revocation_committed_here_is_made_again() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());

    node.primary.hold();
    let check = node.check_later(&token);
    node.primary.wait_for_lookups(1).await;
    node.engine.committed(&node.primary.revoke(&token));
    node.primary.release();

    assert_eq!(check.await.unwrap().verdict, Verdict::Revoked);
}

#[tokio::test]
async fn a_read_overtaken_by_a_hinted_revocation_is_made_again() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());

    node.primary.hold();
    let check = node.check_later(&token);
    node.primary.wait_for_lookups(1).await;
    node.engine.hint(&node.primary.revoke(&token));
    node.primary.release();

    assert_eq!(check.await.unwrap().verdict, Verdict::Revoked);
    assert_eq!(node.primary.lookups(), 2);
}

#[tokio::test]
async fn a_read_overtaken_by_the_accounts_suspension_is_made_again() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.prove().await;

    node.primary.hold();
    let check = node.check_later(&token);
    node.primary.wait_for_lookups(1).await;
    node.primary
        .set_account(token.account, Lifecycle::Suspended);
    node.prove().await;
    node.primary.release();

    assert_eq!(check.await.unwrap().verdict, Verdict::AccountSuspended);
    assert_eq!(node.remembered(&token), Some(Verdict::AccountSuspended));
}

#[tokio::test]
async fn a_read_is_made_again_if_too_much_was_heard_to_judge_it() {
    let config = EngineConfig {
        recent_events: 8,
        ..config()
    };
    let node = Node::start_with(config, Default::default()).await;
    let token = node.primary.issue(node.primary.register());
    node.prove().await;

    node.primary.hold();
    let check = node.check_later(&token);
    node.primary.wait_for_lookups(1).await;
    node.primary.revoke(&token);
    node.primary.append_noise(9);
    node.prove().await;
    node.primary.release();

    assert_eq!(check.await.unwrap().verdict, Verdict::Revoked);
    assert_eq!(node.status().counts.reads_refused, 1);
}

#[tokio::test]
async fn a_read_is_kept_if_what_was_heard_is_about_others() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.prove().await;

    node.primary.hold();
    let check = node.check_later(&token);
    node.primary.wait_for_lookups(1).await;
    node.primary.append_noise(9);
    node.prove().await;
    node.primary.release();

    assert_eq!(check.await.unwrap().verdict, Verdict::Valid);
    assert_eq!(node.primary.lookups(), 1);
}

#[tokio::test]
async fn a_suspension_ends_only_by_a_read() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.prove().await;
    assert_eq!(node.verdict(&token).await, Verdict::Valid);

    node.primary.suspend(&token);
    node.prove().await;
    assert_eq!(node.remembered(&token), Some(Verdict::Suspended));
    assert_eq!(node.primary.lookups(), 1, "denied without a read");

    node.primary.resume(&token);
    node.prove().await;
    assert_eq!(node.remembered(&token), None, "to be read");
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    assert_eq!(node.remembered(&token), Some(Verdict::Valid));
    assert_eq!(node.primary.lookups(), 2);
}

#[tokio::test]
async fn wider_scopes_come_by_a_read_and_narrower_ones_at_once() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    let may_write = tollkeeper_authn::Requirement {
        scopes: &["write"],
        ..Default::default()
    };
    let verdict = || async {
        node.engine
            .verify(token.text.as_bytes(), &may_write)
            .await
            .verdict
    };
    assert_eq!(verdict().await, Verdict::InsufficientScope);
    node.engine
        .committed(&node.primary.set_scopes(&token, &["write"]));
    assert_eq!(verdict().await, Verdict::Valid);
    node.engine
        .committed(&node.primary.set_scopes(&token, &["read"]));
    assert_eq!(verdict().await, Verdict::InsufficientScope);
    assert_eq!(node.primary.lookups(), 3);
}

#[tokio::test]
async fn a_read_overtaken_by_a_narrower_rule_is_made_again() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary
        .bind(&token, &["192.0.2.0/24", "198.51.100.0/24"]);
    node.prove().await;
    let away = at("198.51.100.9");
    let verdict = |engine: Arc<Engine>, text: String| async move {
        engine.verify(text.as_bytes(), &away).await.verdict
    };

    // The rule is narrowed while the read is under way: told by the log, by this process, and by
    // a message alone.
    for (round, told) in ["log", "committed", "hint"].into_iter().enumerate() {
        node.engine.committed(
            &node
                .primary
                .bind(&token, &["192.0.2.0/24", "198.51.100.0/24"]),
        );
        node.primary.hold();
        let before = node.primary.lookups();
        let check = tokio::spawn(verdict(node.engine.clone(), token.text.clone()));
        node.primary.wait_for_lookups(before + 1).await;
        let narrowed = node.primary.bind(&token, &["192.0.2.0/24"]);
        match told {
            "log" => node.prove().await,
            "committed" => node.engine.committed(&narrowed),
            _ => node.engine.hint(&narrowed),
        }
        node.primary.release();
        assert_eq!(check.await.unwrap(), Verdict::IpNotAllowed, "{told}");
        let refused = node.status().counts.reads_refused;
        assert_eq!(refused, round as u64 + 1, "{told}");
        node.prove().await;
    }
}

#[tokio::test]
async fn a_narrower_rule_holds_at_once_and_a_wider_one_comes_by_a_read() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    let away = at("198.51.100.9");
    let remembered = || {
        let answer = node.engine.try_verify(token.text.as_bytes(), &away);
        answer.ok().map(|it| it.verdict)
    };
    let verdict = || async {
        let answer = node.engine.verify(token.text.as_bytes(), &away).await;
        answer.verdict
    };
    assert_eq!(verdict().await, Verdict::Valid);

    // Set by somebody else: from the log's next reading on, memory alone lets nobody in.
    node.primary.bind(&token, &["192.0.2.0/24"]);
    node.prove().await;
    assert_eq!(remembered(), None, "to be read");
    assert_eq!(verdict().await, Verdict::IpNotAllowed);
    assert_eq!(remembered(), Some(Verdict::IpNotAllowed));

    // Lifted: until the primary has been read it is refused, and then it is not.
    node.primary.bind(&token, &[]);
    assert_eq!(remembered(), Some(Verdict::IpNotAllowed));
    node.prove().await;
    assert_eq!(remembered(), None, "to be read");
    assert_eq!(verdict().await, Verdict::Valid);

    // Where the primary cannot be asked, what the log proved wrong lets nobody in.
    node.primary.bind(&token, &["192.0.2.0/24"]);
    node.prove().await;
    node.primary.set_cut(true);
    assert_eq!(verdict().await, Verdict::Unavailable);
}

#[tokio::test]
async fn an_older_read_never_replaces_a_newer_one() {
    let node = Node::start().await;
    let old = node.primary.issue(node.primary.register());
    let new = node.primary.rotate(&old, i64::MAX);
    node.prove().await;

    // The old secret's read is under way while the token changes and the new secret's read, sent
    // later, arrives first. Nothing has been heard of the change.
    node.primary.hold();
    let late = node.check_later(&old);
    node.primary.wait_for_lookups(1).await;
    node.primary.suspend(&old);
    let early = node.check_later(&new);
    node.primary.wait_for_lookups(2).await;
    node.primary.release_only(2);
    assert_eq!(early.await.unwrap().verdict, Verdict::Suspended);
    node.primary.release();
    assert_eq!(late.await.unwrap().verdict, Verdict::Suspended);
    assert_eq!(node.remembered(&old), Some(Verdict::Suspended));
    assert_eq!(node.remembered(&new), Some(Verdict::Suspended));
}

#[tokio::test]
async fn an_older_read_never_brings_an_account_back() {
    let node = Node::start().await;
    let account = node.primary.register();
    let (one, other) = (node.primary.issue(account), node.primary.issue(account));
    node.prove().await;

    node.primary.hold();
    let late = node.check_later(&one);
    node.primary.wait_for_lookups(1).await;
    node.primary.set_account(account, Lifecycle::Suspended);
    let early = node.check_later(&other);
    node.primary.wait_for_lookups(2).await;
    node.primary.release_only(2);
    assert_eq!(early.await.unwrap().verdict, Verdict::AccountSuspended);
    node.primary.release();
    assert_eq!(late.await.unwrap().verdict, Verdict::AccountSuspended);
    assert_eq!(node.remembered(&other), Some(Verdict::AccountSuspended));
}

#[tokio::test]
async fn a_newer_read_makes_the_tokens_other_secrets_doubtful() {
    let node = Node::start().await;
    let old = node.primary.issue(node.primary.register());
    let new = node.primary.rotate(&old, i64::MAX);
    assert_eq!(node.verdict(&old).await, Verdict::Valid);
    node.primary.suspend(&old);
    assert_eq!(node.verdict(&new).await, Verdict::Suspended);
    assert_eq!(node.remembered(&old), None);
    assert_eq!(node.verdict(&old).await, Verdict::Suspended);
}

#[tokio::test]
async fn news_that_a_read_already_held_change_nothing() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary.suspend(&token);
    node.primary.resume(&token);
    assert_eq!(node.verdict(&token).await, Verdict::Valid);

    node.prove().await;
    assert_eq!(node.remembered(&token), Some(Verdict::Valid));
}

#[tokio::test]
async fn an_account_resumed_frees_its_tokens_after_one_read() {
    let node = Node::start().await;
    let account = node.primary.register();
    let tokens = [node.primary.issue(account), node.primary.issue(account)];
    node.prove().await;
    for token in &tokens {
        assert_eq!(node.verdict(token).await, Verdict::Valid);
    }
    node.primary.set_account(account, Lifecycle::Suspended);
    node.prove().await;
    for token in &tokens {
        assert_eq!(node.remembered(token), Some(Verdict::AccountSuspended));
    }
    node.primary.set_account(account, Lifecycle::Active);
    node.prove().await;
    assert_eq!(node.remembered(&tokens[0]), None);
    assert_eq!(node.verdict(&tokens[0]).await, Verdict::Valid);
    assert_eq!(node.remembered(&tokens[1]), Some(Verdict::Valid));
    assert_eq!(node.primary.lookups(), 3);
}

#[tokio::test]
async fn a_fresh_check_reads_what_memory_has_not_heard_of() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    node.primary.revoke(&token);
    assert_eq!(
        node.remembered(&token),
        Some(Verdict::Valid),
        "nothing was heard yet"
    );

    let fresh = tollkeeper_authn::Requirement {
        fresh: true,
        ..Default::default()
    };
    let answer = node.engine.verify(token.text.as_bytes(), &fresh).await;
    assert_eq!(
        (answer.verdict, answer.cache),
        (Verdict::Revoked, CacheUse::Miss)
    );
    assert_eq!(node.remembered(&token), Some(Verdict::Revoked));
}
