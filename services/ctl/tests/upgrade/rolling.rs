//! All of it at once, as the runbook has it done.

use async_nats::jetstream;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::Node;

use crate::clients::Clients;
use crate::next_release;
use crate::nginx::Nginx;
use crate::verdict::Court;
use crate::writers::Writer;
use crate::{text, tollkeeper};

/// How many requests are answered between two steps.
const STEP: u64 = 600;

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_the_schema_is_migrated_and_every_process_is_replaced() {
    let mut stack = Stack::bare().await;
    let mut apis = [stack.api(&[]).await, stack.api(&[]).await];
    let mut ingestors = [stack.ingestor(&[]).await, stack.ingestor(&[]).await];
    let nginx = Nginx::start(&apis).await;
    let operator = apis[0].operator();
    let account = operator.account("writers").await;
    let clients = Clients::start(&operator, [nginx.address]).await;
    let writer = Writer::start(nginx.address, &account);
    let mut told = Vec::new();
    clients.answered(STEP).await;

    let before = clients.seen();
    next_release::apply(&stack.database).await;
    clients.answered(STEP).await;
    writer.issued(20).await;
    told.push(format!(
        "{:<32} {}",
        "migrated",
        clients.seen().since(before)
    ));

    for (number, ingestor) in ingestors.iter_mut().enumerate() {
        let before = clients.seen();
        replace(ingestor).await;
        clients.answered(STEP).await;
        let what = format!("ingestor {} replaced", number + 1);
        told.push(format!("{what:<32} {}", clients.seen().since(before)));
    }
    for (number, api) in apis.iter_mut().enumerate() {
        let before = clients.seen();
        replace(api).await;
        clients.answered(STEP).await;
        writer.issued(20).await;
        let what = format!("API {} replaced", number + 1);
        told.push(format!("{what:<32} {}", clients.seen().since(before)));
    }

    let issued = writer.stop().await;
    let seen = clients.stop().await;
    assert_eq!(seen.all().open, 0, "every request was answered");
    let rows: i64 = sqlx::query_scalar("select count(*) from api_tokens where name like 'token %'")
        .fetch_one(&stack.database.pool)
        .await
        .unwrap();
    assert_eq!(rows.cast_unsigned(), issued, "each key is one token");
    let court = Court {
        pool: &stack.database.pool,
        broker: jetstream::new(stack.nats.client().await),
        apis: &mut apis,
    };
    told.push(court.counted_once(&seen).await);
    let (requests, again) = nginx.attempts();
    told.push(format!(
        "{requests} requests at nginx, {again} of them passed on to the other API"
    ));
    told.push(format!("{issued} tokens issued meanwhile"));
    for command in ["audit", "projections"] {
        let proven = tollkeeper(&stack.database, &[command, "verify"]).await;
        assert!(proven.status.success(), "{command}: {proven:?}");
        told.push(text(&proven.stdout));
    }
    say(&told.join("\n"));
}

/// Stops a process in order and starts it again, as the new release is started in the place of the old.
async fn replace(node: &mut Node) {
    assert!(node.stop().await.success(), "{}", node.log_text());
    node.restart();
    node.ready().await;
}

/// Prints to the person who looks.
#[allow(clippy::print_stdout, reason = "the table is what the test is for")]
fn say(line: &str) {
    println!("{line}");
}
