//! `kill -9` of the API and of the ingestor under load: every request that was answered is counted,
//! and none twice.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use serde_json::json;
use tollkeeper_testkit::{Stack, wait_for};

const CLIENTS: usize = 8;
const ROUNDS: i64 = 3;
const ANSWERS_BETWEEN_KILLS: i64 = 1_500;

/// What the clients have seen.
#[derive(Default)]
struct Seen {
    answered: AtomicI64,
    /// Sent, and the connection ended without an answer: such a request may be counted or not.
    unanswered: AtomicI64,
    stop: AtomicBool,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_counted_once_whoever_is_killed() {
    let mut stack = Stack::bare().await;
    let mut api = stack.api(&[]).await;
    let mut ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let account = operator.account("shop").await;
    let issued = operator
        .issue(&account, json!({ "scopes": ["read"] }))
        .await;
    let (id, token) = (
        issued["id"].as_str().unwrap(),
        issued["token"].as_str().unwrap(),
    );

    let seen = Arc::new(Seen::default());
    let url = format!("http://{}/v1/forward-auth/orders?scope=read", api.public);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(send(url.clone(), token.to_owned(), seen.clone())))
        .collect();
    for round in 1..=ROUNDS {
        wait_for("requests to be answered", async || {
            seen.answered.load(Ordering::SeqCst) >= round * ANSWERS_BETWEEN_KILLS
        })
        .await;
        api.kill();
        ingestor.kill();
        ingestor.restart();
        api.restart();
        api.ready().await;
        ingestor.ready().await;
    }
    let goal = seen.answered.load(Ordering::SeqCst) + ANSWERS_BETWEEN_KILLS;
    wait_for("the last round", async || {
        seen.answered.load(Ordering::SeqCst) >= goal
    })
    .await;
    seen.stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }

    let answered = seen.answered.load(Ordering::SeqCst);
    let unanswered = seen.unanswered.load(Ordering::SeqCst);
    let path = format!("/v1/tokens/{id}");
    wait_for("every answered request to be counted", async || {
        operator.get(&path).await.expect(200)["usage_count"].as_i64() >= Some(answered)
    })
    .await;
    // Nothing may be on its way any more when the upper bound is checked.
    assert!(api.stop().await.success());
    let broker = async_nats::jetstream::new(stack.nats.client().await);
    wait_for("the stream to run dry", async || {
        let mut usage = broker.get_stream("USAGE").await.unwrap();
        usage.info().await.unwrap().state.messages == 0
    })
    .await;
    let (rows, total, hourly): (i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from api_token_usage),
            (select usage_count from api_token_usage_totals),
            (select sum(requests)::bigint from api_token_usage_hourly)",
    )
    .fetch_one(&stack.database.pool)
    .await
    .unwrap();
    assert_eq!(
        (total, hourly),
        (rows, rows),
        "rows, total and rollups agree"
    );
    assert!(
        answered <= rows,
        "lost: {answered} answered, {rows} counted"
    );
    assert!(
        rows <= answered + unanswered,
        "doubled: {answered} answered and {unanswered} not, {rows} counted"
    );
}

/// Sends requests one after the other until told to stop.
async fn send(url: String, token: String, seen: Arc<Seen>) {
    let http = tollkeeper_testkit::http_client();
    while !seen.stop.load(Ordering::SeqCst) {
        match http.get(&url).bearer_auth(&token).send().await {
            Ok(answer) if answer.status() == 200 => {
                seen.answered.fetch_add(1, Ordering::SeqCst);
            }
            // A node that has just started cannot know the token yet, and counts nothing.
            Ok(answer) => assert_eq!(answer.status(), 503),
            // Nobody listened, so nothing was sent.
            Err(error) if error.is_connect() => tokio::task::yield_now().await,
            Err(_) => {
                seen.unanswered.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}
