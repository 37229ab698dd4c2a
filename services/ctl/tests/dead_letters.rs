//! `tollkeeper dead-letters`, with an ingestor that tries them again.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::{Command, Output};

use serde_json::{Value, json};
use tollkeeper_testkit::{Stack, binary, wait_for};

fn tollkeeper(stack: &Stack, arguments: &[&str]) -> Output {
    Command::new(binary("tollkeeper"))
        .env_clear()
        .env("TOLLKEEPER_DATABASE_URL", &stack.database.url)
        .arg("dead-letters")
        .args(arguments)
        .output()
        .unwrap()
}

fn listed(stack: &Stack, arguments: &[&str]) -> Vec<Value> {
    let list = [&["list", "--output", "json"], arguments].concat();
    let output = tollkeeper(stack, &list);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_listed_and_counted_when_their_reason_is_mended() {
    let mut stack = Stack::bare().await;
    let pool = stack.database.pool.clone();
    // Whoever asks for tea is not counted, until somebody mends it.
    sqlx::query("alter table api_token_usage add constraint no_tea check (endpoint <> '/tea')")
        .execute(&pool)
        .await
        .unwrap();
    let api = stack.api(&[]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let token = operator
        .issue(&operator.account("shop").await, json!({}))
        .await;
    let caller = api.bearer(token["token"].as_str().unwrap());
    for path in ["coffee", "tea", "water"] {
        let path = format!("/v1/forward-auth/{path}?from=path");
        caller.get(&path).await.expect(200);
    }
    let broker = async_nats::jetstream::new(stack.nats.client().await);
    let junk = broker.publish("usage.nobody", "junk".into());
    junk.await.unwrap().await.unwrap();
    wait_for("two letters", async || listed(&stack, &[]).len() == 2).await;
    let path = format!("/v1/tokens/{}", token["id"].as_str().unwrap());
    let counted = async || operator.get(&path).await.expect(200)["usage_count"].clone();
    wait_for("the others to count", async || counted().await == 2).await;

    let [tea] = &listed(&stack, &["--reason", "refused"])[..] else {
        panic!("one letter is refused");
    };
    assert_eq!(tea["kind"], "record", "{tea}");
    let id = tea["id"].to_string();
    let table = tollkeeper(&stack, &["list", "--limit", "1"]);
    let text = String::from_utf8(table.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(String::from_utf8(table.stderr).unwrap().contains("--limit"));

    let failed = tollkeeper(&stack, &["replay", &id]);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    assert!(String::from_utf8(failed.stderr).unwrap().contains("no_tea"));
    sqlx::query("alter table api_token_usage drop constraint no_tea")
        .execute(&pool)
        .await
        .unwrap();
    let done = tollkeeper(&stack, &["replay", &id]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(counted().await, 3);
    let rest = tollkeeper(&stack, &["replay", "--all"]);
    assert_eq!(rest.status.code(), Some(1), "nobody can read it: {rest:?}");
    let [junk] = &listed(&stack, &[])[..] else {
        panic!("one letter is left");
    };
    assert!(junk["replay_failure"].is_string(), "{junk}");

    let none = tollkeeper(&stack, &["replay", "4711"]);
    assert_eq!(none.status.code(), Some(1), "{none:?}");
    // Each that was about a letter is in the audit log.
    let noted: Vec<(String, Value)> =
        sqlx::query_as("select action, details from audit_entries order by number")
            .fetch_all(&pool)
            .await
            .unwrap();
    let one = ("DeadLettersReplayed".to_owned(), json!({ "letters": 1 }));
    assert_eq!(noted, [one.clone(), one.clone(), one]);
    let wrong = tollkeeper(&stack, &["replay"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}
