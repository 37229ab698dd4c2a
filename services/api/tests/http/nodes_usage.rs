//! `PUT /v1/nodes/{id}/usage`: nodes without a database say how far their usage has got.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tollkeeper_testkit::stack::{Answer, Person};
use tollkeeper_testkit::{FaultProxy, Stack, wait_for};
use uuid::Uuid;

use crate::nodes::{VERIFY, gateway, new_node, put, report};
use crate::support::{bad_fields, limit_token, manager, now, problem, system_account, text};

const SOURCE: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

/// A mark of two sources; nothing was given out through the second.
fn mark(at: DateTime<Utc>, last: u64) -> Value {
    json!({
        "name": "orders",
        "started_at": now() - TimeDelta::hours(1),
        "at": at,
        "given": [{ "source": SOURCE, "last": last }, { "source": OTHER, "last": 0 }],
    })
}

async fn tell(person: &Person, node: &str, mark: &Value) -> Answer {
    put(person, &format!("{node}/usage"), mark.clone()).await
}

async fn shown(operator: &Person) -> Value {
    let all = operator
        .get("/v1/usage/completeness?limit=200")
        .await
        .expect(200);
    let mut items = all["items"].as_array().unwrap().iter();
    let found = items.find(|item| text(item, "source") == SOURCE.to_string());
    found.unwrap_or_else(|| panic!("{all}")).clone()
}

async fn count(pool: &PgPool, last: i64) {
    for row in [
        "insert into usage_sources (source) values ($1) on conflict do nothing",
        "delete from usage_ledger where source = $1",
    ] {
        sqlx::query(row).bind(SOURCE).execute(pool).await.unwrap();
    }
    sqlx::query(
        "insert into usage_ledger (source, first, last, outcome) values ($1, 1, $2, 'counted')",
    )
    .bind(SOURCE)
    .bind(last)
    .execute(pool)
    .await
    .unwrap();
}

fn moment(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_a_node_gave_out_stands_beside_what_is_counted() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let (operator, gateway) = (api.operator(), gateway(&api).await);
    let pool = &stack.database.pool;
    let node = new_node();
    put(&gateway, &node, report(Value::Null)).await.expect(200);

    let first = now() - TimeDelta::seconds(5);
    tell(&gateway, &node, &mark(first, 7)).await.expect(204);
    let source = shown(&operator).await;
    assert_eq!(
        (&source["state"], &source["appended"], &source["pending"]),
        (&json!("live"), &json!(7), &json!(7))
    );
    assert_eq!(source["reporter"]["name"], "orders");
    assert!(node.ends_with(text(&source["reporter"], "id")), "{source}");

    // All of the first mark is counted: it is complete through that, whatever came later.
    count(pool, 7).await;
    let second = first + TimeDelta::seconds(1);
    tell(&gateway, &node, &mark(second, 9)).await.expect(204);
    let source = shown(&operator).await;
    assert_eq!(moment(&source["complete_through"]), first, "{source}");
    assert_eq!(source["pending"], 2);

    // The last mark may come when the node has left.
    gateway.delete(&node).await.expect(204);
    let mut last = mark(second + TimeDelta::seconds(1), 12);
    last["ended"] = json!(true);
    tell(&gateway, &node, &last).await.expect(204);
    let source = shown(&operator).await;
    assert_eq!(
        (&source["state"], &source["missing"]),
        (&json!("ended"), &json!(5))
    );
}

#[tokio::test]
async fn nobody_marks_for_the_node_of_another() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (honest, liar) = (gateway(&api).await, gateway(&api).await);
    let (node, own) = (new_node(), new_node());
    let told = mark(now(), 7);
    let refused = async |person: &Person, node: &str, mark: &Value| {
        problem(&tell(person, node, mark).await, 403, "BEYOND_AUTHORITY");
    };
    refused(&honest, &node, &told).await;
    put(&honest, &node, report(Value::Null)).await.expect(200);
    put(&liar, &own, report(Value::Null)).await.expect(200);
    refused(&liar, &node, &told).await;
    tell(&honest, &node, &told).await.expect(204);

    refused(&liar, &node, &mark(now(), 90)).await;
    refused(&liar, &own, &mark(now(), 90)).await;
    let mut fewer = told.clone();
    fewer["given"].as_array_mut().unwrap().pop();
    refused(&honest, &node, &fewer).await;
    assert_eq!(shown(&operator).await["appended"], 7);

    // A process with the database marks for itself.
    wait_for("the API's own marks", async || {
        let all = operator.get("/v1/usage/completeness").await.expect(200);
        all["items"].as_array().unwrap().len() > 2
    })
    .await;
    let nodes = operator.get("/v1/nodes").await.expect(200);
    let nodes = nodes["items"].as_array().unwrap().iter();
    let ids: Vec<&str> = nodes.map(|node| text(node, "id")).collect();
    let api_itself = ids
        .iter()
        .find(|id| !node.ends_with(*id) && !own.ends_with(*id));
    let of_api = format!("/v1/nodes/{}", api_itself.unwrap());
    let mut told = told;
    told["given"][0]["source"] = json!(Uuid::from_u128(3));
    told["given"][1]["source"] = json!(Uuid::from_u128(4));
    refused(&liar, &of_api, &told).await;
}

#[tokio::test]
async fn what_no_node_would_say_of_its_usage_is_refused() {
    let mut stack = Stack::bare().await;
    let proxy = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(proxy.address());
    let api = stack.api(&[]).await;
    let (operator, gateway) = (api.operator(), gateway(&api).await);
    let node = new_node();
    put(&gateway, &node, report(Value::Null)).await.expect(200);
    let with = |name: &str, value: Value| {
        let mut told = mark(now(), 7);
        told[name] = value;
        told
    };
    let given = |last: Value| json!([{ "source": SOURCE, "last": last }]);
    let late = now() + TimeDelta::minutes(6);
    let many: Vec<Value> = (0..401_u128)
        .map(|at| json!({ "source": Uuid::from_u128(at), "last": 1 }))
        .collect();
    for (told, pointer) in [
        (with("name", json!("")), "/name"),
        (with("at", json!(late)), "/at"),
        (with("started_at", json!(late)), "/started_at"),
        (with("given", given(json!(u64::MAX))), "/given/0/last"),
        (with("given", given(json!(-1))), "/given/0/last"),
        (with("given", json!(many)), "/given"),
        (with("more", json!(1)), "/more"),
    ] {
        bad_fields(&tell(&gateway, &node, &told).await, &[pointer]);
    }
    let twice = json!([{ "source": SOURCE, "last": 1 }, { "source": SOURCE, "last": 2 }]);
    let told = with("given", twice);
    bad_fields(&tell(&gateway, &node, &told).await, &["/given/1/source"]);
    let nowhere = tell(&gateway, "/v1/nodes/x", &mark(now(), 7)).await;
    problem(&nowhere, 404, "NOT_FOUND");

    let path = format!("{node}/usage");
    let ask = || gateway.request(Method::PUT, &path);
    let typeless = Person::send(ask().body("{}")).await;
    problem(&typeless, 415, "UNSUPPORTED_MEDIA_TYPE");
    let json = || ask().header("Content-Type", "application/json");
    problem(&Person::send(json().body("{")).await, 400, "MALFORMED_JSON");
    let large = Person::send(json().body(" ".repeat(64 * 1024 + 1))).await;
    problem(&large, 413, "BODY_TOO_LARGE");

    let account = operator.account("crm-1").await;
    let within = manager(&operator, &account, &VERIFY).await;
    let within = api.bearer(text(&within, "token"));
    let beyond = tell(&within, &node, &mark(now(), 7)).await;
    problem(&beyond, 403, "BEYOND_AUTHORITY");
    let nobody = tell(&api.nobody(), &node, &mark(now(), 7)).await;
    problem(&nobody, 401, "UNAUTHENTICATED");
    let scopes = json!({ "scopes": VERIFY });
    let token = operator
        .issue(&system_account(&operator).await, scopes)
        .await;
    let once = json!([{ "name": "once", "limit": 1, "window_seconds": 86_400 }]);
    limit_token(&operator, &token, once).await;
    let used_up = api.bearer(text(&token, "token"));
    let first = tell(&used_up, &node, &mark(now(), 7)).await;
    problem(&first, 403, "BEYOND_AUTHORITY");
    let second = tell(&used_up, &node, &mark(now(), 7)).await;
    problem(&second, 429, "RATE_LIMITED");

    proxy.cut();
    let unknown = tell(&gateway, &node, &mark(now(), 7)).await;
    problem(&unknown, 503, "UNAVAILABLE");
    proxy.resume();
    wait_for("the primary", async || {
        tell(&gateway, &node, &mark(now(), 7)).await.status == 204
    })
    .await;
}
