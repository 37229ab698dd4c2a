//! What is kept of reports until they are counted.

use super::*;

#[tokio::test]
async fn nothing_is_left_of_what_is_reported_of_a_deleted_account() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (account, other) = (
        operator.account("crm-1").await,
        operator.account("crm-2").await,
    );
    let token = operator.issue(&account, json!({})).await;
    let kept = operator.issue(&other, json!({})).await;
    let events = json!({ "events": [call(&token, "a"), call(&token, "b"), call(&kept, "a")] });
    assert_eq!(operator.post(PATH, events).await.expect(200)["accepted"], 3);
    let path = format!("/v1/accounts/{account}");
    operator.delete(&path).await.expect(200);
    let pool = &stack.database.pool;
    wait_for("the reports to be erased", async || {
        (
            count(pool, "usage_reports").await,
            count(pool, "usage_report_ids").await,
        ) == (1, 1)
    })
    .await;
    let late = operator.post(PATH, json!({ "events": [call(&token, "c")] }));
    assert_eq!(late.await.expect(200)["results"][0]["code"], "NOT_FOUND");
    let _ingestor = stack.ingestor(&[]).await;
    wait_for("the other account's to be counted", async || {
        ask(&operator, &path_of(&kept)).await["usage_count"] == 1
    })
    .await;
}

#[tokio::test]
async fn what_waits_to_be_counted_is_seen() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let since = async || {
        let told = ask(&operator, "/v1/usage/completeness").await;
        told["reports_waiting_since"].clone()
    };
    assert_eq!(since().await, Value::Null);
    let before = now();
    let events = json!({ "events": [call(&token, "a")] });
    operator.post(PATH, events).await.expect(200);
    let waits: chrono::DateTime<chrono::Utc> = since().await.as_str().unwrap().parse().unwrap();
    assert!(
        (before..now() + TimeDelta::seconds(1)).contains(&waits),
        "{waits}"
    );
    let ingestor = stack.ingestor(&[]).await;
    wait_for("it to be counted", async || since().await == Value::Null).await;
    wait_for("the metric to say so", async || {
        let told = ingestor.about_itself("/metrics").await.text;
        told.lines()
            .any(|line| line == "tollkeeper_usage_reports_oldest_seconds 0")
    })
    .await;
    let told = api.about_itself("/metrics").await.text;
    let accepted = r#"tollkeeper_usage_reported_events_total{outcome="accepted"} 1"#;
    assert!(told.lines().any(|line| line == accepted), "{told}");
}
