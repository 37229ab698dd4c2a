//! Who can sign, and who cannot.

use serde_json::{Value, json};
use sqlx::Executor;
use tollkeeper_testkit::{Stack, wait_for};

use super::faults::{positions, webhook};
use super::receiver::Receiver;
use super::{SEAL_KEY, SETTINGS};
use crate::support::text;

/// Of another name, and of the same name but another key.
const OTHER_KEYS: [(&str, &str); 2] = [
    (
        SEAL_KEY.0,
        "other:HxAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgsMDQ4=",
    ),
    (
        SEAL_KEY.0,
        "test:HxAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgsMDQ4=",
    ),
];

#[tokio::test]
async fn a_process_without_the_key_leaves_a_webhook_to_those_who_have_it() {
    for (other_key, told) in OTHER_KEYS.into_iter().zip([0, 1]) {
        let mut stack = Stack::bare().await;
        let mut api = stack.api(&SETTINGS).await;
        let operator = api.operator();
        let account = operator.account("crm-1").await;
        let (receiver, marker) = (Receiver::start().await, Receiver::start().await);
        let path = webhook(&operator, &receiver.url()).await;
        api.kill();
        let stranger = stack.api(&[other_key, SETTINGS[1]]).await;
        webhook(&stranger.operator(), &marker.url()).await;
        for count in [1, 2, 3] {
            stranger.operator().issue(&account, json!({})).await;
            marker.wait(count).await;
        }
        let waiting = stranger.operator().get(&path).await.expect(200);
        assert_eq!(waiting["next_attempt_at"], Value::Null, "nor is it put off");
        assert_eq!(
            (&waiting["state"], &waiting["failures"]),
            (&json!("enabled"), &json!(0))
        );
        assert!(receiver.arrived().is_empty());
        let lines = stranger.log_text();
        let lines = lines.matches("a signing secret cannot be opened").count();
        assert_eq!(lines, told, "once, and not each turn");
        api.restart();
        api.ready().await;
        assert_eq!(positions(&receiver.wait(3).await), [2, 3, 4]);
    }
}

#[tokio::test]
async fn a_webhook_that_nobody_can_sign_for_is_told_of_once() {
    let mut stack = Stack::bare().await;
    let mut api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let mut hooks = Vec::new();
    for kind in ["TokenIssued", "AccountSuspended", "AccountDeleted"] {
        let body = json!({ "url": "http://127.0.0.1:1/", "types": [kind] });
        let made = operator.post("/v1/webhooks", body).await.expect(201);
        hooks.push(text(&made, "id").to_owned());
    }
    api.kill();
    let keyless = stack.api(&SETTINGS[1..]).await;
    let operator = keyless.operator();
    // As if it had been so for a while.
    let aged = "alter table events disable trigger user;
        update events set recorded_at = recorded_at - interval '2 minutes'";
    let told = |webhook: &str| {
        let log = keyless.log_text();
        let told = |line: &&str| line.contains("no process has the key") && line.contains(webhook);
        log.lines().filter(told).count()
    };
    operator.issue(&account, json!({})).await;
    stack.database.pool.execute(aged).await.unwrap();
    wait_for("the first to be told of", async || told(&hooks[0]) > 0).await;
    let suspend = format!("/v1/accounts/{account}/suspend");
    operator.post(&suspend, json!({})).await.expect(200);
    stack.database.pool.execute(aged).await.unwrap();
    wait_for("the second to be told of", async || told(&hooks[1]) > 0).await;
    let all: Vec<usize> = hooks.iter().map(|webhook| told(webhook)).collect();
    assert_eq!(all, [1, 1, 0], "nothing waits for the third");
}
