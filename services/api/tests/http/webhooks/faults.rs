//! What becomes of events while an endpoint or the API does not work, and where none may go.

use std::fs;

use axum::http::header::{LOCATION, RETRY_AFTER};
use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{Stack, TlsFront, wait_for};

use super::receiver::{Arrived, Receiver};
use super::{SEAL_KEY, SETTINGS};
use crate::support::{bad_fields, now, text};

/// Sets up a webhook for tokens that are issued; gives its path.
pub(super) async fn webhook(operator: &Person, url: &str) -> String {
    let body = json!({ "url": url, "types": ["TokenIssued"] });
    let made = operator.post("/v1/webhooks", body).await.expect(201);
    format!("/v1/webhooks/{}", text(&made, "id"))
}

async fn attempts(operator: &Person, path: &str) -> Vec<Value> {
    let page = operator
        .get(&format!("{path}/deliveries"))
        .await
        .expect(200);
    page["items"].as_array().unwrap().clone()
}

/// Waits until the webhook is seen with this, and gives it.
pub(super) async fn seen_as(operator: &Person, path: &str, member: &str, value: Value) -> Value {
    wait_for(&format!("{member} {value}"), async || {
        operator.get(path).await.expect(200)[member] == value
    })
    .await;
    operator.get(path).await.expect(200)
}

pub(super) fn positions(arrived: &[Arrived]) -> Vec<i64> {
    arrived.iter().map(Arrived::position).collect()
}

#[tokio::test]
async fn what_is_not_taken_is_sent_again_before_what_follows() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let receiver = Receiver::start().await;
    let path = webhook(&operator, &receiver.url()).await;
    let leak = operator.issue(&account, json!({})).await;
    assert_eq!(positions(&receiver.wait(1).await), [2]);
    receiver.plan_with(
        500,
        Vec::new(),
        &format!("out of order\n{}", text(&leak, "token")),
    );
    receiver.plan_with(503, vec![(RETRY_AFTER, "1")], "");
    for _ in 0..2 {
        operator.issue(&account, json!({})).await;
    }
    let arrived = receiver.wait(5).await;
    assert_eq!(positions(&arrived), [2, 3, 3, 3, 4]);
    let ids: Vec<&str> = arrived[1..4]
        .iter()
        .map(|it| it.header("webhook-id"))
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let good = seen_as(&operator, &path, "position", 4.into()).await;
    assert_eq!(
        (&good["failures"], &good["failing_since"]),
        (&json!(0), &Value::Null)
    );
    let attempts = attempts(&operator, &path).await;
    let statuses: Vec<&Value> = attempts.iter().map(|it| &it["status"]).collect();
    assert_eq!(statuses, [204, 204, 503, 500, 204]);
    let detail = text(&attempts[3], "detail");
    assert!(detail.starts_with("out of order "), "{detail}");
    assert!(!detail.contains(text(&leak, "token")), "{detail}");
}

#[tokio::test]
async fn an_endpoint_that_asks_for_time_is_given_it() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    for status in [429, 503] {
        let receiver = Receiver::start().await;
        receiver.plan_with(status, vec![(RETRY_AFTER, "3600")], "");
        let path = webhook(&operator, &receiver.url()).await;
        operator.issue(&account, json!({})).await;
        let waiting = seen_as(&operator, &path, "failures", 1.into()).await;
        let next: chrono::DateTime<chrono::Utc> =
            text(&waiting, "next_attempt_at").parse().unwrap();
        let wait = (next - now()).num_minutes();
        assert!((50..=60).contains(&wait), "{status}: {waiting}");
        assert_eq!(waiting["state"], "enabled");
        assert_eq!(attempts(&operator, &path).await[0]["status"], status);
        operator.delete(&path).await.expect(204);
    }
}

#[tokio::test]
async fn a_killed_api_loses_nothing() {
    let mut stack = Stack::bare().await;
    let mut api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let receiver = Receiver::start().await;
    let path = webhook(&operator, &receiver.url()).await;
    for round in 0..2 {
        // It has arrived, and the cursor has not moved.
        receiver.fall_silent();
        let before = receiver.arrived().len();
        for _ in 0..3 {
            operator.issue(&account, json!({})).await;
        }
        receiver.wait(before + 1).await;
        api.kill();
        receiver.speak();
        api.restart();
        api.ready().await;
        let last = 4 + 3 * round;
        seen_as(&operator, &path, "position", last.into()).await;
    }
    let mut arrived = positions(&receiver.arrived());
    assert!(arrived.is_sorted(), "{arrived:?}");
    assert!(arrived.len() > 6, "one was sent twice: {arrived:?}");
    arrived.dedup();
    assert_eq!(arrived, [2, 3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn a_silent_endpoint_holds_up_no_other() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let (silent, other) = (Receiver::start().await, Receiver::start().await);
    silent.fall_silent();
    webhook(&operator, &silent.url()).await;
    webhook(&operator, "http://127.0.0.1:1/").await;
    webhook(&operator, &other.url()).await;
    operator.issue(&account, json!({})).await;
    silent.wait(1).await;
    for _ in 0..5 {
        operator.issue(&account, json!({})).await;
    }
    assert_eq!(positions(&other.wait(6).await), [2, 3, 4, 5, 6, 7]);
    // It has not got beyond its first event.
    assert!(positions(&silent.arrived()).iter().all(|it| *it == 2));
}

#[tokio::test]
async fn the_webhooks_of_a_deleted_account_are_erased() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let receiver = Receiver::start().await;
    let body = json!({ "account_id": account, "url": receiver.url() });
    let made = operator.post("/v1/webhooks", body).await.expect(201);
    let id: uuid::Uuid = text(&made, "id").parse().unwrap();
    let kept = async || {
        let kept = "select (select count(*) from webhooks where id = $1)
            + (select count(*) from webhook_secrets where webhook_id = $1)
            + (select count(*) from webhook_attempts where webhook_id = $1)";
        let kept = sqlx::query_scalar::<_, i64>(kept).bind(id);
        kept.fetch_one(&stack.database.pool).await.unwrap()
    };
    operator.issue(&account, json!({})).await;
    receiver.wait(1).await;
    wait_for("the attempt to be noted", async || kept().await == 3).await;
    let marker = Receiver::start().await;
    let body = json!({ "url": marker.url(), "types": ["TokenRevoked"] });
    let _ = operator.post("/v1/webhooks", body).await.expect(201);
    let path = format!("/v1/accounts/{account}");
    operator.delete(&path).await.expect(200);
    // Its token is revoked with it.
    marker.wait(1).await;
    wait_for("the webhook to go", async || kept().await == 0).await;
    let kinds: Vec<String> = receiver.arrived().iter().map(Arrived::kind).collect();
    assert_eq!(kinds, ["TokenIssued"]);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_and_goes_on_where_it_was() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let receiver = Receiver::start().await;
    let path = webhook(&operator, &receiver.url()).await;
    receiver.plan(410);
    for _ in 0..2 {
        operator.issue(&account, json!({})).await;
    }
    let disabled = seen_as(&operator, &path, "state", "disabled".into()).await;
    assert_eq!(
        (&disabled["disabled_reason"], &disabled["version"]),
        (&json!("gone"), &json!(2))
    );
    // Once another has been sent the event, this one would have been too.
    let marker = Receiver::start().await;
    webhook(&operator, &marker.url()).await;
    for position in [4, 5] {
        operator.issue(&account, json!({})).await;
        let sent = marker.wait(position - 3).await;
        assert_eq!(
            usize::try_from(positions(&sent)[position - 4]),
            Ok(position)
        );
    }
    assert_eq!(receiver.arrived().len(), 1);
    assert_eq!(attempts(&operator, &path).await.len(), 1);
    operator
        .patch(&path, json!({ "state": "enabled" }))
        .await
        .expect(200);
    assert_eq!(positions(&receiver.wait(5).await), [2, 2, 3, 4, 5]);
    // Nor is one served that somebody has disabled.
    seen_as(&operator, &path, "position", 5.into()).await;
    operator
        .patch(&path, json!({ "state": "disabled" }))
        .await
        .expect(200);
    for count in [3, 4] {
        operator.issue(&account, json!({})).await;
        marker.wait(count).await;
    }
    assert_eq!(receiver.arrived().len(), 5);
    let disabled = operator.get(&path).await.expect(200);
    assert_eq!(
        (&disabled["position"], &disabled["disabled_reason"]),
        (&json!(5), &json!("by_request"))
    );
    assert_eq!(attempts(&operator, &path).await.len(), 5);
}

#[tokio::test]
async fn an_endpoint_that_fails_for_days_is_disabled_and_loses_nothing() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let receiver = Receiver::start().await;
    let path = webhook(&operator, &receiver.url()).await;
    receiver.plan_with(302, vec![(LOCATION, "/elsewhere")], "");
    receiver.plan(500);
    operator.issue(&account, json!({})).await;
    receiver.wait(1).await;
    wait_for("the failure to be noted", async || {
        operator.get(&path).await.expect(200)["failures"] != 0
    })
    .await;
    // Three days and some attempts later.
    let later = "update webhooks set failing_since = failing_since - interval '3 days',
        failures = 9, retry_at = null";
    sqlx::query(later)
        .execute(&stack.database.pool)
        .await
        .unwrap();
    let disabled = seen_as(&operator, &path, "state", "disabled".into()).await;
    assert_eq!(disabled["disabled_reason"], "failing");
    assert_eq!(disabled["position"], 1, "it stays where it was");
    assert!(disabled["failing_since"].is_string());
    operator
        .post(&format!("{path}/replay"), json!({ "after": 1 }))
        .await
        .expect(200);
    assert_eq!(positions(&receiver.wait(3).await), [2, 2, 2]);
}

/// What is said of the first attempt.
async fn first_outcome(api: &Node, account: &str, url: &str) -> Value {
    let operator = api.operator();
    let path = webhook(&operator, url).await;
    operator.issue(account, json!({})).await;
    wait_for("an attempt", async || {
        !attempts(&operator, &path).await.is_empty()
    })
    .await;
    let first = attempts(&operator, &path).await.pop().unwrap();
    operator.delete(&path).await.expect(204);
    first["outcome"].clone()
}

#[tokio::test]
async fn a_private_address_is_never_connected_to_unless_it_is_allowed() {
    let mut stack = Stack::bare().await;
    let receiver = Receiver::start().await;
    let port = receiver.port;
    let strict = stack.api(&[SEAL_KEY]).await;
    let operator = strict.operator();
    let account = operator.account("crm-1").await;
    for url in [
        receiver.url(),
        format!("https://127.0.0.1:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://0.0.0.0:{port}/"),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        format!("http://localhost:{port}/"),
    ] {
        let answer = operator.post("/v1/webhooks", json!({ "url": url })).await;
        bad_fields(&answer, &["/url"]);
    }
    // A name is judged by what it resolves to.
    let name = format!("https://localhost:{port}/");
    assert_eq!(
        first_outcome(&strict, &account, &name).await,
        "address_not_allowed"
    );
    drop(strict);

    let elsewhere = ("TOLLKEEPER_WEBHOOK_ALLOWED_NETWORKS", "10.0.0.0/8");
    let elsewhere = stack.api(&[SEAL_KEY, elsewhere]).await;
    let name = format!("http://localhost:{port}/");
    assert_eq!(
        first_outcome(&elsewhere, &account, &name).await,
        "address_not_allowed"
    );
    assert!(receiver.arrived().is_empty());
    drop(elsewhere);

    let allowed = stack.api(&SETTINGS).await;
    assert_eq!(first_outcome(&allowed, &account, &name).await, "delivered");
}

#[tokio::test]
async fn an_encrypted_endpoint_is_sent_events_if_its_certificate_is_trusted() {
    let mut stack = Stack::bare().await;
    let receiver = Receiver::start().await;
    let front = TlsFront::start(([127, 0, 0, 1], receiver.port).into()).await;
    let url = format!("https://localhost:{}/hook", front.port());
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("certificate.pem");
    fs::write(&certificate, front.certificate()).unwrap();

    let wary = stack.api(&SETTINGS).await;
    let account = wary.operator().account("crm-1").await;
    assert_eq!(first_outcome(&wary, &account, &url).await, "unreachable");
    assert!(receiver.arrived().is_empty(), "nothing was said to it");
    drop(wary);

    let trust = ("SSL_CERT_FILE", certificate.to_str().unwrap());
    let trusting = stack.api(&[&SETTINGS[..], &[trust]].concat()).await;
    let operator = trusting.operator();
    let body = json!({ "url": url, "types": ["TokenIssued"] });
    let made = operator.post("/v1/webhooks", body).await.expect(201);
    operator.issue(&account, json!({})).await;
    let arrived = receiver.wait(1).await;
    assert!(arrived[0].is_signed_with(text(&made, "secret")));
    assert_eq!(arrived[0].kind(), "TokenIssued");
}
