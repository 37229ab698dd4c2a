//! What becomes of deliveries while the database does not answer.

use serde_json::json;
use tollkeeper_testkit::{FaultProxy, Stack, wait_for, wait_for_some};

use super::SETTINGS;
use super::faults::{positions, webhook};
use super::receiver::Receiver;

#[tokio::test]
async fn steps_that_hang_in_the_database_hold_up_no_other_webhook() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let hanging = [Receiver::start().await, Receiver::start().await];
    let mut held = stack.database.pool.begin().await.unwrap();
    for receiver in &hanging {
        receiver.fall_silent();
        webhook(&operator, &receiver.url()).await;
    }
    operator.issue(&account, json!({})).await;
    for receiver in &hanging {
        receiver.wait(1).await;
    }
    // As many as deliveries have connections: what came of the attempts cannot be noted.
    let rows = sqlx::query("select from webhooks for update");
    rows.execute(&mut *held).await.unwrap();
    for receiver in &hanging {
        receiver.speak();
    }
    wait_for("both connections to wait for the rows", async || {
        let waiting = sqlx::query_scalar::<_, i64>(
            "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'",
        );
        waiting.fetch_one(&stack.database.pool).await.unwrap() >= 2
    })
    .await;
    let other = Receiver::start().await;
    webhook(&operator, &other.url()).await;
    operator.issue(&account, json!({})).await;
    assert_eq!(positions(&other.wait(1).await), [3]);

    held.rollback().await.unwrap();
    for receiver in &hanging {
        wait_for("what was held up", async || {
            positions(&receiver.arrived()).contains(&3)
        })
        .await;
        let arrived = positions(&receiver.arrived());
        assert!(arrived.is_sorted() && arrived[0] == 2, "{arrived:?}");
    }
}

#[tokio::test]
async fn an_outage_of_the_database_loses_no_event() {
    let mut stack = Stack::bare().await;
    let proxy = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(proxy.address());
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let receiver = Receiver::start().await;
    let path = webhook(&operator, &receiver.url()).await;
    let issue = async || {
        let body = json!({ "account_id": account, "name": "a token" });
        let answer = operator.post("/v1/tokens", body).await;
        (answer.status == 201).then(|| answer.json()["id"].clone())
    };
    let given_up = || api.log_text().matches("a webhook waits").count();
    let mut issued = Vec::new();
    for fail in [FaultProxy::pause, FaultProxy::cut] {
        receiver.fall_silent();
        let before = (receiver.arrived().len(), given_up());
        for _ in 0..3 {
            issued.push(wait_for_some("a token", async || issue().await).await);
        }
        receiver.wait(before.0 + 1).await;
        // It has arrived, and what came of it cannot be noted.
        fail(&proxy);
        receiver.speak();
        wait_for("the delivery to be given up", async || {
            given_up() > before.1
        })
        .await;
        proxy.resume();
        let head = sqlx::query_scalar::<_, i64>("select position from event_log_head");
        let head = head.fetch_one(&stack.database.pool).await.unwrap();
        wait_for("the cursor at the end of the log", async || {
            let answer = operator.get(&path).await;
            answer.status == 200 && answer.json()["position"] == head
        })
        .await;
    }
    let arrived = receiver.arrived();
    assert!(positions(&arrived).is_sorted());
    assert!(arrived.len() > issued.len(), "some came twice");
    let mut tokens: Vec<_> = arrived
        .iter()
        .map(|it| it.json()["data"]["stream_id"].clone())
        .collect();
    tokens.dedup();
    assert_eq!(tokens, issued);
}
