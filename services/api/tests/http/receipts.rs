//! `?wait=applied`: whoever takes a right away is told where it is gone.

use parking_lot::Mutex;
use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Node, Person, Signal};
use tollkeeper_testkit::{FaultProxy, Stack, wait_for};

use crate::support::{
    forward_auth, manager, path_of, problem, system_account, text, unsigned_problem,
};

/// Short, so that a silent node is not waited for as long.
const LIMIT: [(&str, &str); 1] = [("TOLLKEEPER_STALE_LIMIT_SECONDS", "4")];

/// Long enough not to be over within a test.
const LONG_LIMIT: [(&str, &str); 1] = [("TOLLKEEPER_STALE_LIMIT_SECONDS", "600")];

fn ids(receipt: &Value, member: &str) -> Vec<String> {
    let nodes = receipt[member].as_array().expect("nodes");
    let mut ids: Vec<String> = nodes
        .iter()
        .map(|node| text(node, "id").to_owned())
        .collect();
    ids.sort();
    ids
}

/// The nodes that may answer.
async fn known(operator: &Person) -> Vec<String> {
    let nodes = operator.get("/v1/nodes").await.expect(200);
    let nodes = nodes["items"].as_array().expect("nodes").clone();
    let there = nodes.iter().filter(|node| node["may_answer"] == true);
    let mut ids: Vec<String> = there.map(|node| text(node, "id").to_owned()).collect();
    ids.sort();
    ids
}

async fn passes(node: &Node, token: &Value) -> bool {
    forward_auth(node, text(token, "token"), "").await.status == 200
}

#[tokio::test]
async fn a_change_is_told_to_be_in_force_once_every_node_has_applied_it() {
    let mut stack = Stack::bare().await;
    let nodes = [
        stack.api(&LONG_LIMIT).await,
        stack.api(&LONG_LIMIT).await,
        stack.api(&LONG_LIMIT).await,
    ];
    let operator = nodes[0].operator();
    let all = known(&operator).await;
    assert_eq!(all.len(), 3);
    let account = operator.account("crm-1").await;
    let everywhere = |receipt: &Value| {
        assert_eq!(ids(receipt, "applied"), all, "{receipt}");
        assert_eq!(receipt["pending"], json!([]), "{receipt}");
    };
    for (method, step, body) in [
        (Method::DELETE, "", None),
        (Method::POST, "/suspend", None),
        (Method::POST, "/rotate", Some(json!({}))),
        (Method::PATCH, "", Some(json!({ "scopes": [] }))),
    ] {
        let token = operator.issue(&account, json!({ "scopes": ["a:b"] })).await;
        let asks = |node| forward_auth(node, text(&token, "token"), "?scope=a:b");
        for node in &nodes {
            assert_eq!(asks(node).await.status, 200);
        }
        let path = format!("{}{step}?wait=applied", path_of(&token));
        let request = operator.request(method.clone(), &path);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = Person::send(request).await;
        // From here on no node lets it pass.
        for node in &nodes {
            let refused = asks(node).await.status;
            assert!([401, 403].contains(&refused), "{method} {step}: {refused}");
        }
        let answer = answer.expect(200);
        everywhere(&answer);
        assert_eq!(answer["id"], token["id"]);
    }
    // A refill is a change as any other.
    let quotas = json!({ "quotas": [{ "name": "uses", "limit": 9 }] });
    let token = operator.issue(&account, quotas.clone()).await;
    let path = format!("{}/quotas/uses/refill?wait=applied", path_of(&token));
    everywhere(&operator.post(&path, json!({})).await.expect(200));
    // An account takes all its tokens with it.
    let token = operator.issue(&account, json!({})).await;
    let path = format!("/v1/accounts/{account}");
    operator.patch(&path, quotas).await.expect(200);
    for (method, step, works) in [
        (Method::POST, "/quotas/uses/refill", true),
        (Method::POST, "/suspend", false),
        (Method::POST, "/resume", true),
        (Method::PATCH, "", true),
        (Method::DELETE, "", false),
    ] {
        let path = format!("{path}{step}?wait=applied");
        let request = operator.request(method.clone(), &path);
        let changed = Person::send(request.json(&json!({}))).await;
        for node in &nodes {
            assert_eq!(passes(node, &token).await, works, "{method} {step}");
        }
        let changed = changed.expect(200);
        everywhere(&changed);
        assert_eq!(changed["id"], account);
    }
    let account = operator.account("crm-2").await;
    // What was done before is told of as well.
    let token = operator.issue(&account, json!({})).await;
    let path = path_of(&token);
    let revoked = operator.delete(&path).await.expect(200);
    assert!(revoked.get("applied").is_none() && revoked.get("pending").is_none());
    let path = format!("{path}?wait=applied");
    everywhere(&operator.delete(&path).await.expect(200));
    let own = operator.issue(&account, json!({})).await;
    let resume = format!("{}/resume?wait=applied", path_of(&own));
    operator
        .post(&format!("{}/suspend", path_of(&own)), json!({}))
        .await
        .expect(200);
    everywhere(&operator.post(&resume, json!({})).await.expect(200));
}

#[tokio::test]
async fn a_rotation_that_is_sent_again_has_a_receipt_too() {
    let mut stack = Stack::bare().await;
    let key = (
        "TOLLKEEPER_SEAL_KEYS",
        "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    );
    let api = stack.api(&[key]).await;
    let operator = api.operator();
    let token = operator
        .issue(&operator.account("crm-1").await, json!({}))
        .await;
    let path = format!("{}/rotate?wait=applied", path_of(&token));
    let rotate = async || {
        let request = operator.request(Method::POST, &path).json(&json!({}));
        Person::send(request.header("Idempotency-Key", "k")).await
    };
    let first = rotate().await;
    let again = rotate().await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(first.expect(200), again.expect(200));
    assert_eq!(ids(&again.json(), "applied"), known(&operator).await);
}

#[tokio::test]
async fn a_frozen_node_is_waited_for_until_it_can_answer_no_more() {
    let mut stack = Stack::bare().await;
    let (here, frozen) = (stack.api(&LIMIT).await, stack.api(&LIMIT).await);
    let operator = here.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let other = operator.issue(&account, json!({})).await;
    for (node, token) in [(&here, &token), (&frozen, &token), (&frozen, &other)] {
        wait_for("the token to pass", async || passes(node, token).await).await;
    }
    let before = known(&operator).await;
    assert_eq!(before.len(), 2);

    frozen.freeze().await;
    let path = format!("{}?wait=applied", path_of(&token));
    let last = Mutex::new(Value::Null);
    wait_for("the frozen node's time to be over", async || {
        let receipt = operator.delete(&path).await.expect(200);
        // It is named for as long as it might answer.
        let mut named = [ids(&receipt, "applied"), ids(&receipt, "pending")].concat();
        named.sort();
        assert!(named == before || named.len() == 1, "{receipt}");
        let is_over = receipt["pending"] == json!([]);
        *last.lock() = receipt;
        is_over
    })
    .await;
    let last = last.into_inner();
    assert_eq!(ids(&last, "applied").len(), 1, "{last}");

    // The very first thing that it does is to answer.
    let asked = tokio::spawn({
        let frozen = frozen.bearer(text(&token, "token"));
        async move { frozen.get("/v1/forward-auth").await.status }
    });
    frozen.signal(Signal::CONT);
    let status = asked.await.unwrap();
    assert!([401, 503].contains(&status), "{status}");
    wait_for("the node to be back", async || {
        passes(&frozen, &other).await
    })
    .await;
    assert!(!passes(&frozen, &token).await);
    assert_eq!(known(&operator).await, before);
}

#[tokio::test]
async fn a_node_that_is_cut_off_is_pending_and_says_when_it_will_have_stopped() {
    let mut stack = Stack::bare().await;
    let here = stack.api(&LONG_LIMIT).await;
    let proxy = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(proxy.address());
    let nats = FaultProxy::start(stack.nats.address()).await;
    stack.nats_through(nats.address());
    let away = stack.api(&LONG_LIMIT).await;
    let operator = here.operator();
    let token = operator
        .issue(&operator.account("crm-1").await, json!({}))
        .await;
    assert!(passes(&away, &token).await);
    proxy.cut();
    nats.cut();
    let suspend = format!("{}/suspend?wait=applied", path_of(&token));
    let receipt = operator.post(&suspend, json!({})).await.expect(200);
    assert_eq!(
        (
            ids(&receipt, "applied").len(),
            ids(&receipt, "pending").len()
        ),
        (1, 1)
    );
    let nodes = operator.get("/v1/nodes").await.expect(200);
    let id = &receipt["pending"][0]["id"];
    let listed = nodes["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|node| node["id"] == *id);
    let listed = listed.expect("the node");
    assert_eq!(listed["valid_until"], receipt["pending"][0]["valid_until"]);
    assert!(listed["valid_until"].is_string());
    assert!(listed["lag"].as_i64().unwrap() >= 1);
    assert!(passes(&away, &token).await, "it cannot have heard");
    proxy.resume();
    nats.resume();
    let receipt = operator.post(&suspend, json!({})).await.expect(200);
    wait_for("the node to have heard", async || {
        let receipt = operator.post(&suspend, json!({})).await.expect(200);
        receipt["pending"] == json!([])
    })
    .await;
    assert!(!passes(&away, &token).await, "{receipt}");
}

#[tokio::test]
async fn a_change_that_was_made_is_told_though_the_nodes_cannot_be_read() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let token = operator
        .issue(&operator.account("crm-1").await, json!({}))
        .await;
    let [own] = known(&operator).await.try_into().unwrap();
    sqlx::query("alter table nodes rename to nodes_elsewhere")
        .execute(&stack.database.pool)
        .await
        .unwrap();
    let path = format!("{}/rotate?wait=applied", path_of(&token));
    let rotated = operator.post(&path, json!({})).await.expect(200);
    assert!(text(&rotated, "token").starts_with("tk_live_"));
    assert_eq!(rotated["applied"], json!([]));
    assert_eq!(
        rotated["pending"],
        json!([{ "id": own, "valid_until": null }])
    );
}

#[tokio::test]
async fn a_node_that_stops_is_waited_for_no_longer() {
    let mut stack = Stack::bare().await;
    let here = stack.api(&LONG_LIMIT).await;
    let mut stopping = stack.api(&LONG_LIMIT).await;
    let operator = here.operator();
    assert_eq!(known(&operator).await.len(), 2);
    stopping.stop().await;
    assert_eq!(known(&operator).await.len(), 1);
}

#[tokio::test]
async fn a_node_that_may_go_on_for_ever_is_forgotten_by_operators_alone() {
    let mut stack = Stack::bare().await;
    let here = stack.api(&[]).await;
    let mut gone = stack.api(&[("TOLLKEEPER_STALE_POLICY", "allow")]).await;
    let operator = here.operator();
    let nodes = operator.get("/v1/nodes").await.expect(200);
    let without_end = |node: &&Value| node["valid_until"].is_null();
    let items = nodes["items"].as_array().unwrap();
    let id = text(items.iter().find(without_end).expect("the node"), "id").to_owned();
    gone.kill();
    let token = operator
        .issue(&operator.account("crm-1").await, json!({}))
        .await;
    let revoke = format!("{}?wait=applied", path_of(&token));
    let receipt = operator.delete(&revoke).await.expect(200);
    assert_eq!(
        receipt["pending"],
        json!([{ "id": id, "valid_until": null }])
    );

    let path = format!("/v1/nodes/{id}");
    let system = system_account(&operator).await;
    let scopes = json!({ "scopes": ["tollkeeper:accounts.write", "tollkeeper:events.read"] });
    let system = operator.issue(&system, scopes).await;
    let system = here.bearer(text(&system, "token"));
    system.get("/v1/nodes").await.expect(200);
    problem(&system.delete(&path).await, 403, "INSUFFICIENT_SCOPE");
    problem(&here.nobody().delete(&path).await, 401, "UNAUTHENTICATED");
    assert_eq!(operator.delete(&path).await.status, 204);
    problem(&operator.delete(&path).await, 404, "NOT_FOUND");
    problem(&operator.delete("/v1/nodes/x").await, 404, "NOT_FOUND");
    let receipt = operator.delete(&revoke).await.expect(200);
    assert_eq!(receipt["pending"], json!([]));
}

#[tokio::test]
async fn nodes_are_shown_to_those_who_act_across_accounts() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let nodes = operator.get("/v1/nodes").await.expect(200);
    let node = &nodes["items"][0];
    assert_eq!(node["version"], env!("CARGO_PKG_VERSION"));
    assert!(!text(node, "name").is_empty());
    assert!(nodes["head"].as_i64().unwrap() >= 2);
    for name in ["registered_at", "reported_at", "valid_until"] {
        assert!(node[name].is_string(), "{node}");
    }
    let manager = manager(&operator, &account, &["tollkeeper:events.read"]).await;
    let manager = api.bearer(text(&manager, "token"));
    problem(&manager.get("/v1/nodes").await, 403, "BEYOND_AUTHORITY");
    let plain = api.bearer(text(&token, "token"));
    problem(&plain.get("/v1/nodes").await, 403, "INSUFFICIENT_SCOPE");
    problem(&api.nobody().get("/v1/nodes").await, 401, "UNAUTHENTICATED");
    let refused = forward_auth(&api, "tk_live_x", "").await;
    unsigned_problem(&refused, 401, "MALFORMED");
}

#[tokio::test]
async fn what_cannot_be_waited_for_is_refused_before_anything_is_done() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let token = operator
        .issue(&operator.account("crm-1").await, json!({}))
        .await;
    let path = path_of(&token);
    for query in [
        "wait=applied&cascade=true",
        "wait=everywhere",
        "wait=",
        "wait=applied&wait=applied",
    ] {
        let refused = operator.delete(&format!("{path}?{query}")).await;
        problem(&refused, 400, "INVALID_QUERY");
    }
    for (step, query) in [
        ("/suspend", "wait=yes"),
        ("/rotate", "wait=1"),
        ("/resume", "x=1"),
    ] {
        let refused = operator
            .post(&format!("{path}{step}?{query}"), json!({}))
            .await;
        problem(&refused, 400, "INVALID_QUERY");
    }
    let refused = operator.patch(&format!("{path}?wait=no"), json!({})).await;
    problem(&refused, 400, "INVALID_QUERY");
    let shown = operator.get(&path).await.expect(200);
    assert_eq!(
        (&shown["state"], &shown["version"]),
        (&json!("active"), &json!(1))
    );
}

#[tokio::test]
async fn nodes_that_cannot_be_read_are_not_shown() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let [own] = known(&operator).await.try_into().unwrap();
    let one = format!("/v1/nodes/{own}");
    for (method, path) in [(Method::GET, "/v1/nodes"), (Method::DELETE, one.as_str())] {
        let two = operator.request(method.clone(), path);
        let two = Person::send(two.bearer_auth("tk_live_x")).await;
        problem(&two, 400, "TWO_CREDENTIALS");
    }
    sqlx::query("alter table nodes rename to nodes_elsewhere")
        .execute(&stack.database.pool)
        .await
        .unwrap();
    problem(&operator.get("/v1/nodes").await, 503, "UNAVAILABLE");
    problem(&operator.delete(&one).await, 503, "UNAVAILABLE");
}
