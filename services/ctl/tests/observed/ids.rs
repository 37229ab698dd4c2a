//! From a request's id to everything that came of the request.

use std::collections::BTreeSet;

use async_nats::HeaderMap;
use serde_json::{Value, json};
use tollkeeper_testkit::{Stack, wait_for_some};

use crate::support::{LOUD, forward_auth, header, issued, lifecycle, line, lines, post, text};

const ID: &str = "x-request-id";

/// The single requests of a token that are found by an id, once there is one.
async fn rows(operator: &tollkeeper_testkit::stack::Person, token: &Value, id: &str) -> Vec<Value> {
    let path = format!(
        "/v1/tokens/{}/usage/requests?request_id={id}",
        text(token, "id")
    );
    wait_for_some(&format!("the row of {id}"), async || {
        let page = operator.get(&path).await.expect(200);
        let rows = page["items"].as_array().unwrap().clone();
        (!rows.is_empty()).then_some(rows)
    })
    .await
}

#[tokio::test]
async fn an_id_leads_from_the_answer_to_the_row_and_the_message() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&LOUD).await;
    let _ingestor = stack.ingestor(&LOUD).await;
    let operator = api.operator();

    let body = json!({ "external_id": "crm-2" });
    let answer = post(&operator, "/v1/accounts", &[(ID, "made.by-me_1")], body).await;
    answer.expect(201);
    assert_eq!(answer.header(ID), Some("made.by-me_1"));
    let told = lifecycle(&stack, "AccountRegistered").await;
    let id = header(&told, "Tollkeeper-Request-Id");
    assert_eq!(id.as_deref(), Some("made.by-me_1"));

    let token = issued(&operator).await;
    let secret = text(&token, "token");
    forward_auth(&api, secret, &[(ID, "proxied-1")])
        .await
        .expect(200);
    forward_auth(&api, secret, &[(ID, "not plain")])
        .await
        .expect(200);
    let question = json!({ "token": secret, "endpoint": "/orders" });
    let verified = operator.post("/v1/verify", question).await;
    let own = verified.header(ID).unwrap().to_owned();
    for (id, endpoint) in [("proxied-1", "/orders/7"), (own.as_str(), "/orders")] {
        let rows = rows(&operator, &token, id).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(
            (&rows[0]["request_id"], &rows[0]["endpoint"]),
            (&json!(id), &json!(endpoint))
        );
    }
    let path = format!("/v1/tokens/{}/usage/requests", text(&token, "id"));
    let all = wait_for_some("the rows of all", async || {
        let page = operator.get(&path).await.expect(200);
        (page["items"].as_array()?.len() == 3).then_some(page)
    })
    .await;
    let ids = all["items"].as_array().unwrap().iter();
    let ids: BTreeSet<Option<&str>> = ids.map(|row| row["request_id"].as_str()).collect();
    assert_eq!(
        ids,
        BTreeSet::from([None, Some("proxied-1"), Some(own.as_str())])
    );
    let refused = operator.get(&format!("{path}?request_id=a%20b")).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (400, "INVALID_QUERY")
    );
}

#[tokio::test]
async fn every_line_of_a_request_has_its_id() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&LOUD).await;
    let operator = api.operator();
    let token = issued(&operator).await;

    let unknown = "/v1/tokens/00000000-0000-7000-8000-000000000000/suspend";
    let refused = post(&operator, unknown, &[(ID, "refused-1")], json!({})).await;
    refused.expect(404);
    let told = line(&api, "the line of a refusal", |it| {
        it["request_id"] == "refused-1"
    })
    .await;
    assert_eq!(told["code"], "NOT_FOUND");
    assert_eq!(told["span"]["request_id"], "refused-1");

    // By a proxy the token lacks a scope, and the answer says by which id that is found.
    let request = api
        .bearer(text(&token, "token"))
        .get("/v1/forward-auth?scope=a.b")
        .await;
    request.expect(403);
    let id = request.header(ID).unwrap().to_owned();
    line(&api, "the line of a proxy's refusal", |it| {
        it["request_id"] == id.as_str()
    })
    .await;

    for line in lines(&api) {
        let spans = line["spans"].as_array().cloned().unwrap_or_default();
        for span in spans.iter().filter(|span| span["name"] == "request") {
            assert!(span["request_id"].is_string(), "{line}");
        }
    }
}

#[tokio::test]
async fn what_looks_like_a_token_is_no_id() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&LOUD).await;
    let operator = api.operator();
    let token = issued(&operator).await;
    let secret = text(&token, "token");
    let body = json!({ "external_id": "crm-3" });
    let answer = post(&operator, "/v1/accounts", &[(ID, secret)], body).await;
    answer.expect(201);
    assert!(!answer.header(ID).unwrap().contains(secret));
    assert!(!api.log_text().contains(secret));
}

#[tokio::test]
async fn an_ingestors_lines_lead_back_to_node_source_and_batch() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&LOUD).await;
    let ingestor = stack.ingestor(&LOUD).await;
    let operator = api.operator();
    let nodes = operator.get("/v1/nodes").await.expect(200);
    let node = text(&nodes["items"][0], "id").to_owned();
    let token = issued(&operator).await;
    forward_auth(&api, text(&token, "token"), &[])
        .await
        .expect(200);
    let settled = |it: &Value| it["message"] == "a batch of usage is settled";
    let told = line(&ingestor, "the line of a batch", settled).await;
    assert_eq!(told["node"], node.as_str());
    assert_eq!((&told["first"], &told["last"]), (&json!(1), &json!(1)));
    let sources = sqlx::query_scalar::<_, bool>(
        "select $1::uuid = any(sources) from usage_reporters where id = $2::uuid",
    );
    let known = sources
        .bind(text(&told, "source"))
        .bind(&node)
        .fetch_one(&stack.database.pool)
        .await;
    assert!(known.unwrap());

    let mut headers = HeaderMap::new();
    headers.insert("Tollkeeper-Node", node.as_str());
    let broker = async_nats::jetstream::new(stack.nats.client().await);
    let source = text(&told, "source");
    let sent = broker.publish_with_headers(format!("usage.{source}"), headers, "junk".into());
    sent.await.unwrap().await.unwrap();
    let buried = |it: &Value| it["message"] == "usage went to the dead letters";
    let told = line(&ingestor, "the line of a dead letter", buried).await;
    assert_eq!(told["node"], node.as_str());
    assert_eq!(told["subject"], format!("usage.{source}"));
}
