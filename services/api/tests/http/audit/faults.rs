//! What becomes of refused attempts while the database is away, and at the end of the process.

use serde_json::json;
use tollkeeper_testkit::{FaultProxy, Stack, wait_for};

use super::{knock, refused};
use crate::support::text;

#[tokio::test]
async fn without_the_database_refusals_wait_for_nobody_and_are_written_afterwards() {
    let mut stack = Stack::bare().await;
    let proxy = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(proxy.address());
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("shop").await;
    let weak = operator.issue(&account, json!({})).await;
    let weak = api.bearer(text(&weak, "token"));
    weak.get("/v1/accounts").await.expect(403);
    refused(&operator, "", 1).await;

    proxy.cut();
    // More networks than a minute has rows for.
    for number in 0..300 {
        knock(&api, &format!("10.0.{}.1", number % 100))
            .await
            .expect(401);
        weak.get("/v1/accounts").await.expect(403);
    }
    wait_for("a failure to be told", async || {
        api.log_text()
            .contains("refused attempts wait to be written")
    })
    .await;
    proxy.resume();
    wait_for("the database to be back", async || {
        operator.get("/v1/accounts").await.status == 200
    })
    .await;
    let told = refused(&operator, "", 601).await;
    let known = told.iter().filter(|it| !it["actor"].is_null());
    let known: i64 = known.map(|it| it["count"].as_i64().unwrap()).sum();
    assert_eq!(known, 301);
    let unnamed = told.iter().filter(|it| it["action"].is_null()).count();
    assert!(unnamed > 0, "what is left out is told");
}

#[tokio::test]
async fn what_was_refused_last_is_written_before_the_end() {
    let mut stack = Stack::bare().await;
    let mut api = stack.api(&[]).await;
    for round in 1..=3_i64 {
        for number in 0..20 {
            knock(&api, &format!("10.0.{number}.1")).await.expect(401);
        }
        let ended = api.stop().await;
        assert_eq!(ended.code(), Some(0), "{}", api.log_text());
        let written: i64 =
            sqlx::query_scalar("select coalesce(sum(count), 0)::bigint from audit_refusals")
                .fetch_one(&stack.database.pool)
                .await
                .unwrap();
        assert_eq!(written, round * 20);
        api.restart();
        api.ready().await;
    }
}
