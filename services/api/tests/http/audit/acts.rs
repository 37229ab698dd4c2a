//! What leaves no event leaves one entry, and none where it is not done.

use serde_json::{Value, json};
use sqlx::PgPool;
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Answer, Person};
use uuid::Uuid;

use super::{actions, lines};
use crate::support::{path_of, text};
use crate::webhooks;

/// What was done and left no event, the newest first.
async fn entries(operator: &Person) -> Vec<Value> {
    let mut all = lines(operator, "&outcome=allowed").await;
    all.retain(|line| line["position"].is_null());
    all
}

/// Asks, and tells what it left.
async fn left(operator: &Person, ask: impl Future<Output = Answer>, status: u16) -> Vec<Value> {
    let before = entries(operator).await.len();
    let answer = ask.await;
    assert_eq!(answer.status, status, "{}", answer.text);
    let mut after = entries(operator).await;
    after.truncate(after.len() - before);
    after
}

#[tokio::test]
async fn every_act_without_an_event_leaves_exactly_one_entry() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&webhooks::SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("shop").await;
    let token = operator.issue(&account, json!({})).await;
    let body = json!({ "account_id": account, "url": "https://hooks.example.com/?key=hidden" });
    let made = left(&operator, operator.post("/v1/webhooks", body), 201).await;
    assert_eq!(actions(&made), ["WebhookCreated"]);
    let webhook = text(&made[0], "subject_id").to_owned();
    assert_eq!(made[0]["account_id"], account.as_str());
    assert_eq!(made[0]["actor"], "operator:test");
    assert_eq!(made[0]["subject_type"], "webhook");
    assert_eq!(made[0]["details"], json!({ "version": 1 }));

    let path = format!("/v1/webhooks/{webhook}");
    let of = |sub: &str| format!("{path}/{sub}");
    let change = json!({ "description": "mine", "url": "https://hooks.example.com/?key=hidden" });
    let changed = left(&operator, operator.patch(&path, change.clone()), 200).await;
    assert_eq!(actions(&changed), ["WebhookChanged"]);
    assert_eq!(changed[0]["details"], json!({ "fields": ["description"] }));
    let same = left(&operator, operator.patch(&path, change), 200).await;
    assert!(same.is_empty(), "nothing was changed: {same:#?}");
    let (rotate, replay) = (of("rotate-secret"), of("replay"));
    let rotate = operator.post(&rotate, json!({}));
    let rotated = left(&operator, rotate, 200).await;
    assert_eq!(actions(&rotated), ["WebhookSecretRotated"]);
    let replay = operator.post(&replay, json!({ "after": 0 }));
    let replayed = left(&operator, replay, 200).await;
    assert_eq!(replayed[0]["details"], json!({ "after": 0 }));
    let deleted = left(&operator, operator.delete(&path), 204).await;
    assert_eq!(actions(&deleted), ["WebhookDeleted"]);
    let again = left(&operator, operator.delete(&path), 404).await;
    assert!(again.is_empty(), "{again:#?}");

    let node = node(&stack.database.pool).await;
    let forget = format!("/v1/nodes/{node}");
    let forgotten = left(&operator, operator.delete(&forget), 204).await;
    assert_eq!(actions(&forgotten), ["NodeForgotten"]);
    assert_eq!(forgotten[0]["subject_id"], node.to_string());

    let token_path = path_of(&token);
    let report = operator.get(&format!("{token_path}/exposure")).await;
    report.expect(200);
    for path in [
        "/v1/usage",
        "/v1/usage/tokens",
        &format!("{token_path}/usage"),
        &format!("{token_path}/usage/requests"),
    ] {
        let read = left(&operator, operator.get(path), 200).await;
        assert!(read.is_empty(), "{path} is not taken away: {read:#?}");
        let csv = format!("{path}?format=csv");
        let taken = left(&operator, operator.get(&csv), 200).await;
        assert_eq!(actions(&taken), ["UsageExported"], "{path}");
        let told = text(&taken[0]["details"], "path");
        assert_eq!(told, path.replace(text(&token, "id"), "{id}"));
    }
    let bad = operator.get("/v1/usage?format=csv&from=2030-01-01T00:00:00Z");
    assert!(left(&operator, bad, 400).await.is_empty());
    let taken = left(&operator, operator.get("/v1/audit?format=csv"), 200).await;
    assert_eq!(actions(&taken), ["AuditExported"]);

    let all = entries(&operator).await;
    let exposed: Vec<&Value> = all
        .iter()
        .filter(|it| it["action"] == "ExposureReported")
        .collect();
    assert_eq!(exposed.len(), 1);
    assert_eq!(exposed[0]["subject_id"], token["id"]);
    for line in &all {
        assert!(line["request_id"].is_string(), "{line}");
        assert!(!line.to_string().contains("hidden"), "{line}");
    }
}

/// A node that is gone.
async fn node(pool: &PgPool) -> Uuid {
    sqlx::query_scalar(
        "insert into nodes (id, name, version, registered_at, reported_at)
        values (gen_random_uuid(), 'gone', '1', now(), now()) returning id",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn what_is_rolled_back_leaves_no_entry_and_what_cannot_be_noted_is_not_done() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&webhooks::SETTINGS).await;
    let operator = api.operator();
    let body = json!({ "url": "https://hooks.example.com/", "description": "before" });
    let webhook = operator
        .post("/v1/webhooks", body.clone())
        .await
        .expect(201);
    let path = format!("/v1/webhooks/{}", text(&webhook, "id"));
    let run = async |statement: &'static str| {
        let done = sqlx::raw_sql(statement).execute(&stack.database.pool).await;
        done.unwrap();
    };

    // The webhook is changed and the entry is there, and then the commit fails.
    run(
        "create function refuse() returns trigger language plpgsql as
            $$ begin raise exception 'no' using errcode = '40001'; end $$;
        create constraint trigger refuse after insert or update or delete on webhooks
            deferrable initially deferred for each row execute function refuse()",
    )
    .await;
    let change = json!({ "description": "after" });
    let rotate = format!("{path}/rotate-secret");
    let replay = format!("{path}/replay");
    for ask in [
        operator.post("/v1/webhooks", body).await,
        operator.patch(&path, change.clone()).await,
        operator.post(&rotate, json!({})).await,
        operator.post(&replay, json!({ "after": 0 })).await,
        operator.delete(&path).await,
    ] {
        ask.expect(503);
    }
    assert_eq!(actions(&entries(&operator).await), ["WebhookCreated"]);

    run("drop trigger refuse on webhooks;
        alter table audit_entries add constraint full_up check (action = 'WebhookCreated')")
    .await;
    for ask in [
        operator.patch(&path, change).await,
        operator.delete(&path).await,
        operator.get("/v1/usage?format=csv").await,
    ] {
        ask.expect(503);
    }
    let found = operator.get(&path).await.expect(200);
    assert_eq!(
        (&found["description"], &found["version"]),
        (&json!("before"), &json!(1))
    );
    assert_eq!(actions(&entries(&operator).await), ["WebhookCreated"]);
}
