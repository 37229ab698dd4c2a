//! The checks, their order, and what an answer tells.

use std::time::Duration;

use tollkeeper_ambient::Clock;
use tollkeeper_authn::{CacheUse, Client, Requirement, TokenFacts};
use tollkeeper_domain::account::{Lifecycle, Role};
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token;
use tollkeeper_domain::verdict::Verdict;

use crate::node::Node;

#[tokio::test]
async fn junk_is_refused_without_a_read() {
    let node = Node::start().await;
    let mut text = node.primary.made_up();
    text.pop();
    for junk in ["", "x", "tk_live_", &text, &"x".repeat(10_000)] {
        let answer = node.check_text(junk).await;
        assert_eq!(answer.verdict, Verdict::Malformed, "{junk}");
        assert!(answer.identity().is_none());
    }
    assert_eq!(node.primary.lookups(), 0);
}

#[tokio::test]
async fn the_first_reason_in_the_order_is_given() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    let now = node.clock.wall_micros();
    let demanding = Requirement {
        environment: Some(Environment::Test),
        scopes: &["write"],
        ..Requirement::default()
    };
    let verdict = |requirement: Requirement<'static>| {
        let (engine, text) = (node.engine.clone(), token.text.clone());
        async move {
            let answer = engine.verify(text.as_bytes(), &requirement).await;
            let identity = answer.identity().map(|identity| identity.token_id());
            assert_eq!(identity, Some(token.id), "known whatever the verdict");
            answer.verdict
        }
    };
    let change = |change: fn(&mut TokenFacts)| {
        let event = node.primary.change(&token, "TokenScopesChanged", change);
        node.engine.committed(&event);
    };
    let all = Requirement::default();

    assert_eq!(verdict(all).await, Verdict::Valid);
    assert_eq!(
        verdict(Requirement {
            scopes: &["read", "write"],
            ..all
        })
        .await,
        Verdict::InsufficientScope
    );
    let committed = |event| node.engine.committed(&event);
    committed(node.primary.bind(&token, &["192.0.2.0/24"]));
    assert_eq!(
        verdict(Requirement {
            scopes: &["write"],
            ..all
        })
        .await,
        Verdict::IpNotAllowed
    );
    assert_eq!(verdict(demanding).await, Verdict::WrongEnvironment);
    change(|facts| facts.expires_at = Some(0));
    assert_eq!(verdict(demanding).await, Verdict::Expired);
    change(|facts| facts.not_before = Some(i64::MAX));
    assert_eq!(verdict(demanding).await, Verdict::NotYetValid);
    node.engine.committed(&node.primary.suspend(&token));
    assert_eq!(verdict(demanding).await, Verdict::Suspended);
    node.engine.committed(
        &node
            .primary
            .set_account(token.account, Lifecycle::Suspended),
    );
    assert_eq!(verdict(demanding).await, Verdict::AccountSuspended);
    node.engine.committed(&node.primary.revoke(&token));
    assert_eq!(verdict(demanding).await, Verdict::Revoked);
    assert!(now > 0);
}

#[tokio::test]
async fn a_read_gives_the_same_order_as_events() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary.change(&token, "TokenSuspended", |facts| {
        facts.lifecycle = token::Lifecycle::Suspended;
        facts.expires_at = Some(0);
    });
    assert_eq!(node.verdict(&token).await, Verdict::Suspended);
    node.primary.set_account(token.account, Lifecycle::Deleted);
    node.prove().await;
    assert_eq!(node.verdict(&token).await, Verdict::AccountSuspended);
}

#[tokio::test]
async fn times_are_compared_at_each_check() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    let now = node.clock.wall_micros();
    node.primary.change(&token, "TokenExpiryChanged", |facts| {
        facts.not_before = Some(now + 1_000_000);
        facts.expires_at = Some(now + 2_000_000);
    });
    assert_eq!(node.verdict(&token).await, Verdict::NotYetValid);
    node.clock.pass(Duration::from_secs(1));
    assert_eq!(node.remembered(&token), Some(Verdict::Valid));
    node.clock.pass(Duration::from_micros(999_999));
    assert_eq!(node.remembered(&token), Some(Verdict::Valid));
    node.clock.pass(Duration::from_micros(1));
    assert_eq!(node.remembered(&token), Some(Verdict::Expired));
}

#[tokio::test]
async fn an_old_secret_works_until_its_grace_is_over_and_the_new_one_goes_on() {
    let node = Node::start().await;
    let old = node.primary.issue(node.primary.register());
    assert_eq!(node.verdict(&old).await, Verdict::Valid);
    let end = node.clock.wall_micros() + 1_000_000;
    let new = node.primary.rotate(&old, end);
    node.prove().await;
    assert_eq!(node.verdict(&old).await, Verdict::Valid);
    assert_eq!(node.verdict(&new).await, Verdict::Valid);
    node.clock.pass(Duration::from_secs(1));
    assert_eq!(node.remembered(&old), Some(Verdict::Expired));
    assert_eq!(node.remembered(&new), Some(Verdict::Valid));
    // One event denies every secret of the token.
    node.primary.revoke(&old);
    node.prove().await;
    assert_eq!(node.remembered(&old), Some(Verdict::Revoked));
    assert_eq!(node.remembered(&new), Some(Verdict::Revoked));
}

#[tokio::test]
async fn an_answer_tells_whose_token_it_is_and_how_it_is_known() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    node.primary
        .change_account(token.account, "AccountChanged", |facts| {
            facts.role = Role::System
        });
    node.clock.pass(Duration::from_millis(700));

    let first = node.check(&token).await;
    assert_eq!(
        (first.cache, first.age),
        (CacheUse::Miss, Some(Duration::ZERO))
    );
    let second = node.check(&token).await;
    assert_eq!(second.cache, CacheUse::Hit);
    assert_eq!(second.age, Some(Duration::from_millis(700)));
    assert_eq!(second.at_micros, node.clock.wall_micros());

    let identity = second.identity().unwrap();
    assert_eq!(
        (identity.token_id(), identity.account_id()),
        (token.id, token.account)
    );
    assert_eq!(
        (identity.version(), identity.account_role()),
        (1, Role::System)
    );
    assert!(identity.facts().scopes.covers("read"));

    node.engine.committed(&node.primary.revoke(&token));
    let refused = node.check(&token).await;
    assert_eq!(
        refused.identity().unwrap().version(),
        2,
        "judged by the revocation"
    );
}

#[tokio::test]
async fn a_notice_in_a_tokens_history_costs_no_read_and_hides_nothing() {
    let node = Node::start().await;
    let token = node.primary.issue(node.primary.register());
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
    node.primary.change(&token, "TokenExpiring", |_| {});
    node.prove().await;
    let answer = node.check(&token).await;
    assert_eq!(answer.verdict, Verdict::Valid);
    assert_eq!(answer.identity().unwrap().version(), 2);
    assert_eq!(node.primary.lookups(), 1);
    node.primary.revoke(&token);
    node.prove().await;
    assert_eq!(node.verdict(&token).await, Verdict::Revoked);
}

#[tokio::test]
async fn a_bound_token_passes_from_its_networks_and_from_nowhere_else() {
    let node = Node::start().await;
    let (bound, free) = (
        node.primary.issue(node.primary.register()),
        node.primary.issue(node.primary.register()),
    );
    node.primary
        .bind(&bound, &["192.0.2.0/24", "2001:db8::/32"]);
    let verdict = |text: &str, client| {
        let (engine, text) = (node.engine.clone(), text.to_owned());
        let requirement = Requirement {
            client,
            ..Requirement::default()
        };
        async move { engine.verify(text.as_bytes(), &requirement).await.verdict }
    };
    let at = |address: &str| Client::At(address.parse().unwrap());
    for (client, expected) in [
        (at("192.0.2.7"), Verdict::Valid),
        (at("::ffff:192.0.2.7"), Verdict::Valid),
        (at("2001:db8:1::9"), Verdict::Valid),
        (at("192.0.3.7"), Verdict::IpNotAllowed),
        (at("::ffff:192.0.3.7"), Verdict::IpNotAllowed),
        (at("::1"), Verdict::IpNotAllowed),
        (Client::Unknown, Verdict::IpNotAllowed),
        (Client::JudgedElsewhere, Verdict::Valid),
    ] {
        assert_eq!(verdict(&bound.text, client).await, expected, "{client:?}");
        assert_eq!(verdict(&free.text, client).await, Verdict::Valid);
    }
    assert_eq!(node.primary.lookups(), 2, "the address is judged in memory");
}
