//! Keys that give way to others, while one process after the other is started again.

use reqwest::Method;
use serde_json::json;
use sqlx::Executor;
use tollkeeper_testkit::stack::{Node, OPERATOR_KEY, Person};
use tollkeeper_testkit::{Stack, wait_for};

use crate::runbook::Runbook;

const RUNBOOK: Runbook = Runbook(include_str!("../../../../docs/runbooks/key-rotation.md"));

const NEW_KEY: &str = "the-operator-key-that-takes-its-place-0123";
const K1: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const K2: &str = "k2:HxAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgsMDQ4=";

const LOOPBACK: (&str, &str) = ("TOLLKEEPER_WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8");

/// The status that a request with this key is answered with.
async fn status(api: &Node, key: &str) -> u16 {
    let request = api.nobody().request(Method::GET, "/v1/accounts");
    Person::send(request.header("X-API-Key", key)).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_keys_work_side_by_side_until_the_old_one_goes() {
    let mut stack = Stack::bare().await;
    let both = format!("test:{OPERATOR_KEY},test-2:{NEW_KEY}");
    let new = format!("test-2:{NEW_KEY}");
    for (keys, old_works, new_works) in [
        (format!("test:{OPERATOR_KEY}"), 200, 401),
        (both, 200, 200),
        (new, 401, 200),
    ] {
        let mut api = stack.api(&[("TOLLKEEPER_OPERATOR_KEY", &keys)]).await;
        assert_eq!(status(&api, OPERATOR_KEY).await, old_works);
        assert_eq!(status(&api, NEW_KEY).await, new_works);
        if old_works == 200 {
            api.operator().account(&format!("shop-{new_works}")).await;
        }
        assert!(api.stop().await.success());
    }
    let api = stack.api(&[]).await;
    let comment = "Who still uses the old key?";
    let commands = RUNBOOK
        .commands(comment)
        .replace("operator:alice", "operator:test");
    let found =
        sqlx::query_scalar::<_, i64>("select count(*) from events where actor = 'operator:test'");
    assert_eq!(found.fetch_one(&stack.database.pool).await.unwrap(), 2);
    let mut command = std::process::Command::new("sh");
    command.args(["-e", "-c", &commands]);
    let (code, said) = crate::runbook::as_operator(command, (&stack, &api)).await;
    assert!(
        code == 0 && said.contains("20") && said.contains("(1 row)"),
        "{said}"
    );
    // At the last of them the old key was refused.
    let taken_out = [("TAKEN_OUT", "2026-01-01T00:00:00Z")];
    wait_for("the attempt to be in the audit log", async || {
        let (code, said) = RUNBOOK
            .run("Who was forgotten?", (&stack, &api), &taken_out)
            .await;
        assert_eq!(code, 0, "{said}");
        said.contains("GET /v1/accounts") && said.contains("127.0.0.0/24")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seal_keys_are_taken_away_when_nothing_is_sealed_with_them() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[("TOLLKEEPER_SEAL_KEYS", K1), LOOPBACK]).await;
    let webhook = json!({ "url": "http://127.0.0.1:9/hook" });
    let webhook = api
        .operator()
        .post("/v1/webhooks", webhook)
        .await
        .expect(201);
    let id = webhook["id"].as_str().unwrap();
    let comment = "Whose secrets are sealed with k1?";

    let both = format!("{K2},{K1}");
    let api = stack
        .api(&[("TOLLKEEPER_SEAL_KEYS", &both), LOOPBACK])
        .await;
    let (code, said) = RUNBOOK.run(comment, (&stack, &api), &[]).await;
    assert!(code == 0 && said.contains(id), "{said}");
    let of_it = [("WEBHOOK", id)];
    let rotate = RUNBOOK.run("Rotate its secret.", (&stack, &api), &of_it);
    let (code, said) = rotate.await;
    assert!(code == 0 && said.contains("\"whsec_"), "{said}");
    // The old secret signs for a day.
    let (_, said) = RUNBOOK.run(comment, (&stack, &api), &[]).await;
    assert!(said.contains(id), "{said}");
    stack
        .database
        .pool
        .execute("update webhook_secrets set valid_until = now() where valid_until is not null")
        .await
        .unwrap();
    let (code, said) = RUNBOOK.run(comment, (&stack, &api), &[]).await;
    assert!(code == 0 && said.trim().is_empty(), "{said}");
}
