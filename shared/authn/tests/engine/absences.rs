//! Tokens that were unknown and are issued: the absence of one that is remembered, or being read, must
//! not outlive it, whether the log tells the digest of its secret or hides it.

use std::sync::Arc;

use tollkeeper_authn::CacheUse;
use tollkeeper_domain::verdict::Verdict;

use crate::node::{Node, config};
use crate::primary::Primary;

#[tokio::test]
async fn a_token_issued_while_its_absence_was_being_read_is_found_by_its_digest() {
    a_token_issued_while_its_absence_was_being_read_is_found(Primary::default()).await;
}

#[tokio::test]
async fn a_token_issued_while_its_absence_was_being_read_is_found_without_a_digest() {
    a_token_issued_while_its_absence_was_being_read_is_found(Primary::remote()).await;
}

async fn a_token_issued_while_its_absence_was_being_read_is_found(primary: Primary) {
    let node = Node::start_with(config(), Arc::new(primary)).await;
    let account = node.primary.register();
    let text = node.primary.made_up();

    node.primary.hold();
    let early = tokio::spawn({
        let (engine, text) = (node.engine.clone(), text.clone());
        async move { engine.verify(text.as_bytes(), &Default::default()).await }
    });
    node.primary.wait_for_lookups(1).await;
    let token = node.primary.issue_as(account, text);
    node.prove().await;
    node.primary.release();

    assert_eq!(early.await.unwrap().verdict, Verdict::Valid);
    assert_eq!(node.remembered(&token), Some(Verdict::Valid));
}

#[tokio::test]
async fn an_absence_in_memory_ends_when_the_log_tells_of_the_token_by_its_digest() {
    an_absence_in_memory_ends_when_the_log_tells_of_the_token(Primary::default()).await;
}

#[tokio::test]
async fn an_absence_in_memory_ends_when_the_log_tells_of_the_token_without_a_digest() {
    an_absence_in_memory_ends_when_the_log_tells_of_the_token(Primary::remote()).await;
}

async fn an_absence_in_memory_ends_when_the_log_tells_of_the_token(primary: Primary) {
    let node = Node::start_with(config(), Arc::new(primary)).await;
    let account = node.primary.register();
    let text = node.primary.made_up();
    assert_eq!(node.check_text(&text).await.verdict, Verdict::NotFound);
    let again = node.check_text(&text).await;
    assert_eq!(
        (again.verdict, again.cache),
        (Verdict::NotFound, CacheUse::Hit)
    );

    let token = node.primary.issue_as(account, text);
    assert_eq!(node.remembered(&token), Some(Verdict::NotFound));
    node.prove().await;
    assert_eq!(node.verdict(&token).await, Verdict::Valid);
}
