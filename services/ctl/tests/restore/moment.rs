//! A base backup and the write-ahead log, and back to a moment.

use std::fs;

use serde_json::{Value, json};
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{Stack, wait_for};

use crate::commands::{as_administrator, as_operator, tollkeeper};
use crate::shop::{Token, findings, relayed};

#[tokio::test(flavor = "multi_thread")]
async fn what_came_after_the_moment_is_counted_again_as_far_as_spools_have_it() {
    let mut stack = Stack::with_own_server().await;
    as_administrator(&mut stack, "Archive the write-ahead log.", "").await;
    stack.server().stop().await;
    stack.server().restart().await;
    let folder = tempfile::tempdir().unwrap();
    let lost_spool = folder.path().join("lost");
    let kept_spool = folder.path().join("kept");
    let of = |spool: &std::path::Path| spool.to_str().unwrap().to_owned();
    let running = stack.api(&[]).await;
    let mut lost = stack
        .api(&[("TOLLKEEPER_SPOOL_DIR", &of(&lost_spool))])
        .await;
    let mut kept = stack
        .api(&[("TOLLKEEPER_SPOOL_DIR", &of(&kept_spool))])
        .await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = running.operator();
    let account = operator.account("shop").await;
    let used = Token::issue(&operator, &account).await;
    let leaked = Token::issue(&operator, &account).await;
    as_administrator(&mut stack, "Take a base backup.", "").await;
    for api in [&running, &lost, &kept] {
        used.pass(api, 10).await;
        leaked.pass(api, 1).await;
    }
    used.counted(&running, 30).await;
    marked(&stack, 33).await;

    let moment: String = sqlx::query_scalar("select clock_timestamp()::text")
        .fetch_one(&stack.database.pool)
        .await
        .unwrap();
    let path = leaked.path("?reason=leaked");
    operator.delete(&path).await.expect(200);
    for (api, calls) in [(&running, 20), (&lost, 15), (&kept, 12)] {
        leaked.becomes(api, "REVOKED").await;
        used.pass(api, calls).await;
    }
    used.counted(&running, 77).await;
    let end = relayed(&stack).await;
    for api in [&mut lost, &mut kept] {
        assert!(api.stop().await.success());
    }
    fs::remove_dir_all(&lost_spool).unwrap();

    stack.server().stop().await;
    as_administrator(&mut stack, "Go back to the moment.", &moment).await;
    stack.server().restart().await;
    wait_for("the server to be there", async || {
        let recovering = sqlx::query_scalar("select pg_is_in_recovery()");
        let recovering: Result<bool, _> = recovering.fetch_one(&stack.database.pool).await;
        matches!(recovering, Ok(false))
    })
    .await;

    // The running node has seen by itself that the log is another one.
    leaked.becomes(&running, "VALID").await;
    running.ready().await;
    let beyond = operator.get(&format!("/v1/events?after={end}")).await;
    assert_eq!(beyond.status, 400, "{}", beyond.text);
    // What it has answered since the moment it sends again; the one that stopped does when it starts.
    used.counted(&running, 50).await;
    kept.restart();
    kept.ready().await;
    used.counted(&running, 62).await;
    named(&running).await;

    let (code, found) =
        tollkeeper(&stack, &running, &["restore", "check", "--output", "json"]).await;
    assert_eq!(code, 1, "{found}");
    assert_eq!(findings(&found), [("revoke".to_owned(), leaked.id.clone())]);
    assert_eq!(found["lost"].as_array().unwrap().len(), 1, "{found}");
    let (code, said) = as_operator(&stack, &running, "Do again what denies.").await;
    assert!(code == 0 && said.contains("1 done again, 0 left"), "{said}");
    for api in [&running, &kept] {
        leaked.becomes(api, "REVOKED").await;
        used.pass(api, 1).await;
    }
    let (code, said) = as_operator(&stack, &running, "Prove what was restored.").await;
    assert_eq!(code, 0, "{said}");
    let reason = operator.get(&leaked.path("")).await.expect(200);
    assert_eq!(reason["revocation_reason"], json!("leaked"));
    used.counted(&running, 64).await;
}

/// Waits until nodes have told the database of so many calls.
async fn marked(stack: &Stack, calls: i64) {
    wait_for("nodes to tell how far they are", async || {
        let told: i64 = sqlx::query_scalar(
            "select coalesce(sum(number), 0)::bigint from usage_reporters, unnest(appended) as number",
        )
        .fetch_one(&stack.database.pool)
        .await
        .unwrap();
        told == calls
    })
    .await;
}

/// The node whose spool is gone is named, and that it is not known how far it got.
async fn named(running: &Node) {
    let operator = running.operator();
    wait_for("the lost node to be missed", async || {
        let told: Value = operator
            .get("/v1/usage/completeness?limit=200")
            .await
            .expect(200);
        let items = told["items"].as_array().unwrap().iter();
        let vanished = items.filter(|it| it["state"] == "vanished").count();
        told["vanished_sources"].as_i64() >= Some(1) && vanished >= 1
    })
    .await;
}
