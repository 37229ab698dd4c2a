//! What arrives at an endpoint while all is well.

use serde_json::{Value, json};
use tollkeeper_testkit::{Stack, wait_for};

use super::SETTINGS;
use super::receiver::{Arrived, Receiver};
use crate::support::{path_of, text};

fn kinds(arrived: &[Arrived]) -> Vec<String> {
    arrived.iter().map(Arrived::kind).collect()
}

#[tokio::test]
async fn events_arrive_signed_and_in_order() {
    let mut stack = Stack::bare().await;
    // One of them delivers; the other waits for the lease.
    let (api, there) = (stack.api(&SETTINGS).await, stack.api(&SETTINGS).await);
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let receiver = Receiver::start().await;
    let body = json!({ "account_id": account, "url": receiver.url() });
    let webhook = operator.post("/v1/webhooks", body).await.expect(201);

    let token = operator.issue(&account, json!({})).await;
    operator
        .patch(&path_of(&token), json!({ "name": "other" }))
        .await
        .expect(200);
    let rotated = operator
        .post(&format!("{}/rotate", path_of(&token)), json!({}))
        .await;
    rotated.expect(200);
    operator.delete(&path_of(&token)).await.expect(200);

    let arrived = receiver.wait(4).await;
    let expected = [
        "TokenIssued",
        "TokenRenamed",
        "TokenRotated",
        "TokenRevoked",
    ];
    assert_eq!(kinds(&arrived), expected);
    let log = sqlx::query_as::<_, (i64, String)>(
        "select position, event_id::text from events where type like 'Token%' order by position",
    );
    let log = log.fetch_all(&stack.database.pool).await.unwrap();
    for (arrived, (position, event_id)) in arrived.iter().zip(&log) {
        assert!(arrived.is_signed_with(text(&webhook, "secret")));
        assert_eq!(arrived.header("webhook-id"), format!("evt_{event_id}"));
        assert_eq!(arrived.header("content-type"), "application/json");
        let body = arrived.json();
        assert_eq!(body["data"]["event_id"], event_id.as_str());
        assert_eq!(body["data"]["position"], *position);
        assert_eq!(body["timestamp"], body["data"]["occurred_at"]);
        assert_eq!(body["data"]["stream_id"], token["id"]);
        assert_eq!(body.as_object().unwrap().len(), 3);
        let text = std::str::from_utf8(&arrived.body).unwrap();
        assert!(!text.contains("secret_hash"), "{text}");
    }
    let path = format!("/v1/webhooks/{}", text(&webhook, "id"));
    wait_for("the cursor", async || {
        operator.get(&path).await.expect(200)["position"] == log[3].0
    })
    .await;
    let attempts = operator
        .get(&format!("{path}/deliveries"))
        .await
        .expect(200);
    let attempts = attempts["items"].as_array().unwrap().clone();
    let seen: Vec<&str> = attempts.iter().map(|it| text(it, "type")).collect();
    assert_eq!(seen, expected.iter().rev().copied().collect::<Vec<_>>());
    assert!(
        attempts
            .iter()
            .all(|it| it["outcome"] == "delivered" && it["status"] == 204)
    );
    let metrics =
        api.about_itself("/metrics").await.text + &there.about_itself("/metrics").await.text;
    assert!(metrics.contains("tollkeeper_webhook_attempts_total{outcome=\"delivered\"}"));
}

#[tokio::test]
async fn an_endpoint_is_sent_its_own_types_and_account_alone() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let (own, other) = (
        operator.account("own").await,
        operator.account("other").await,
    );
    let (mine, revocations, all) = (
        Receiver::start().await,
        Receiver::start().await,
        Receiver::start().await,
    );
    for body in [
        json!({ "account_id": own, "url": mine.url() }),
        json!({ "url": revocations.url(), "types": ["TokenRevoked", "AccountSuspended"] }),
        json!({ "url": all.url() }),
    ] {
        let _ = operator.post("/v1/webhooks", body).await.expect(201);
    }
    for account in [&own, &other] {
        let token = operator.issue(account, json!({})).await;
        operator.delete(&path_of(&token)).await.expect(200);
        let suspend = format!("/v1/accounts/{account}/suspend");
        operator.post(&suspend, json!({})).await.expect(200);
    }
    let each = ["TokenIssued", "TokenRevoked", "AccountSuspended"];
    let arrived = all.wait(6).await;
    assert_eq!(kinds(&arrived), [each, each].concat());
    let arrived = revocations.wait(4).await;
    assert_eq!(kinds(&arrived), [&each[1..], &each[1..]].concat());
    let arrived = mine.wait(3).await;
    assert_eq!(kinds(&arrived), each);
    let issued = &arrived[0].json()["data"]["payload"]["account_id"];
    assert_eq!(*issued, Value::from(own));
}

#[tokio::test]
async fn after_a_rotation_the_old_secret_signs_for_a_while() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let receiver = Receiver::start().await;
    let body = json!({ "account_id": account, "url": receiver.url() });
    let webhook = operator.post("/v1/webhooks", body).await.expect(201);
    let path = format!("/v1/webhooks/{}/rotate-secret", text(&webhook, "id"));
    let rotated = operator.post(&path, json!({})).await;
    assert_eq!(rotated.header("cache-control"), Some("no-store"));
    assert_eq!(rotated.header("etag"), Some("\"2\""));
    let rotated = rotated.expect(200);
    let (old, new) = (text(&webhook, "secret"), text(&rotated, "secret"));
    assert_ne!(old, new);

    operator.issue(&account, json!({})).await;
    let arrived = receiver.wait(1).await;
    assert!(arrived[0].is_signed_with(old) && arrived[0].is_signed_with(new));
    assert_eq!(arrived[0].header("webhook-signature").split(' ').count(), 2);

    // A day later.
    let later = "update webhook_secrets set valid_until = valid_until - interval '24 hours'
        where valid_until is not null";
    let aged = sqlx::query(later)
        .execute(&stack.database.pool)
        .await
        .unwrap();
    assert_eq!(aged.rows_affected(), 1);
    operator.issue(&account, json!({})).await;
    let arrived = receiver.wait(2).await;
    assert!(!arrived[1].is_signed_with(old) && arrived[1].is_signed_with(new));

    for _ in 0..8 {
        let _ = operator.post(&path, json!({})).await.expect(200);
    }
    let count = sqlx::query_scalar::<_, i64>("select count(*) from webhook_secrets");
    assert_eq!(count.fetch_one(&stack.database.pool).await.unwrap(), 5);
}

#[tokio::test]
async fn a_replay_sends_again_what_follows_a_position() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let receiver = Receiver::start().await;
    let body = json!({ "account_id": account, "url": receiver.url() });
    let webhook = operator.post("/v1/webhooks", body).await.expect(201);
    for _ in 0..3 {
        operator.issue(&account, json!({})).await;
    }
    let first: Vec<i64> = receiver
        .wait(3)
        .await
        .iter()
        .map(Arrived::position)
        .collect();
    assert_eq!(first, [2, 3, 4]);
    let path = format!("/v1/webhooks/{}", text(&webhook, "id"));
    operator
        .patch(&path, json!({ "state": "disabled" }))
        .await
        .expect(200);
    let replay = json!({ "after": 2 });
    let replayed = operator
        .post(&format!("{path}/replay"), replay)
        .await
        .expect(200);
    assert_eq!(replayed["state"], "enabled");
    let arrived = receiver.wait(5).await;
    let again: Vec<i64> = arrived.iter().skip(3).map(Arrived::position).collect();
    assert_eq!(again, [3, 4]);
    assert_eq!(
        arrived[1].header("webhook-id"),
        arrived[3].header("webhook-id")
    );
    // What happened before the webhook was set up can be had too.
    let replay = json!({ "after": 0 });
    operator
        .post(&format!("{path}/replay"), replay)
        .await
        .expect(200);
    let arrived = receiver.wait(9).await;
    assert_eq!(arrived[5].kind(), "AccountRegistered");
}
