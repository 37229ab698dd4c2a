//! Nodes without a database: they report, look up, follow, and nobody does so in their name.

use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_domain::secret::SecretHash;
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{FaultProxy, Stack};
use uuid::Uuid;

use crate::support::{bad_fields, manager, path_of, problem, system_account, text, unissued};

pub(crate) const VERIFY: [&str; 1] = ["tollkeeper:verify"];

/// A node's id, as it chooses one at each start.
pub(crate) fn new_node() -> String {
    format!("/v1/nodes/{}", Uuid::from_u128(rand_bits()))
}

fn rand_bits() -> u128 {
    use tollkeeper_ambient::{Entropy, SystemEntropy};
    let mut bits = [0; 16];
    SystemEntropy.fill(&mut bits);
    u128::from_le_bytes(bits)
}

pub(crate) fn report(applied: Value) -> Value {
    json!({ "name": "a service", "version": "0.1.0", "applied": applied, "valid_for_ms": 600_000 })
}

pub(crate) async fn put(
    person: &Person,
    path: &str,
    body: Value,
) -> tollkeeper_testkit::stack::Answer {
    Person::send(person.request(Method::PUT, path).json(&body)).await
}

/// Somebody with a token of a system account of their own.
pub(crate) async fn gateway(api: &Node) -> Person {
    let operator = api.operator();
    let account = system_account(&operator).await;
    let token = operator.issue(&account, json!({ "scopes": VERIFY })).await;
    api.bearer(text(&token, "token"))
}

fn digest(token: &str) -> Value {
    serde_json::to_value(SecretHash::of(token.as_bytes())).unwrap()
}

#[tokio::test]
async fn a_node_that_reports_is_waited_for_until_it_has_applied_or_left() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let (operator, gateway) = (api.operator(), gateway(&api).await);
    let path = new_node();
    let head = put(&gateway, &path, report(Value::Null)).await.expect(200);
    let token = operator
        .issue(&operator.account("crm-1").await, json!({}))
        .await;
    let revoke = format!("{}?wait=applied", path_of(&token));
    let pending = |receipt: &Value| {
        let nodes = receipt["pending"].as_array().unwrap().iter();
        nodes
            .map(|node| text(node, "id").to_owned())
            .collect::<Vec<_>>()
    };
    let id = path.rsplit('/').next().unwrap();
    let receipt = operator.delete(&revoke).await.expect(200);
    assert_eq!(pending(&receipt), [id]);

    // What it says to have applied is believed only where this log holds it.
    let mut forged = put(&gateway, &path, report(head)).await.expect(200);
    let now = forged.clone();
    forged["hash"] = json!("0".repeat(64));
    put(&gateway, &path, report(forged)).await.expect(200);
    let receipt = operator.delete(&revoke).await.expect(200);
    assert_eq!(pending(&receipt), [id]);
    put(&gateway, &path, report(now)).await.expect(200);
    let receipt = operator.delete(&revoke).await.expect(200);
    assert_eq!(receipt["pending"], json!([]));

    let nodes = operator.get("/v1/nodes").await.expect(200);
    let mut nodes = nodes["items"].as_array().unwrap().iter();
    let shown = nodes.find(|node| node["id"] == id).expect("the node");
    assert_eq!(
        (&shown["name"], &shown["lag"]),
        (&json!("a service"), &json!(0))
    );
    assert_eq!(gateway.delete(&path).await.status, 204);
    problem(&gateway.delete(&path).await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn nobody_goes_on_with_the_node_of_another() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (owner, other) = (gateway(&api).await, gateway(&api).await);
    let nodes = operator.get("/v1/nodes").await.expect(200);
    let of_the_api = format!("/v1/nodes/{}", text(&nodes["items"][0], "id"));
    let path = new_node();
    put(&owner, &path, report(Value::Null)).await.expect(200);
    for (person, path) in [(&other, &path), (&operator, &path), (&owner, &of_the_api)] {
        let refused = put(person, path, report(Value::Null)).await;
        problem(&refused, 403, "BEYOND_AUTHORITY");
    }
    for path in [&path, &of_the_api] {
        problem(&other.delete(path).await, 404, "NOT_FOUND");
    }
    assert_eq!(operator.delete(&path).await.status, 204);
    // It is free again, as after its end.
    put(&other, &path, report(Value::Null)).await.expect(200);
}

#[tokio::test]
async fn a_registrar_has_so_many_nodes_and_no_more() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let (owner, other) = (gateway(&api).await, gateway(&api).await);
    let path = new_node();
    put(&owner, &path, report(Value::Null)).await.expect(200);
    let nodes = api.operator().get("/v1/nodes").await.expect(200);
    let nodes = nodes["items"].as_array().unwrap();
    let by = |node: &&Value| node["registered_by"].is_string();
    let registrar = text(nodes.iter().find(by).expect("the node"), "registered_by");
    assert_eq!(nodes.iter().filter(by).count(), 1, "the API has its own");
    sqlx::query(
        "insert into nodes (id, name, version, registered_at, reported_at, valid_until, registered_by)
        select gen_random_uuid(), 'a service', '0.1.0', now(), now(), now(), $1
        from generate_series(1, 999)",
    )
    .bind(registrar)
    .execute(&stack.database.pool)
    .await
    .unwrap();
    let one_more = new_node();
    let refused = put(&owner, &one_more, report(Value::Null)).await;
    problem(&refused, 409, "TOO_MANY_NODES");
    put(&owner, &path, report(Value::Null)).await.expect(200);
    put(&other, &one_more, report(Value::Null))
        .await
        .expect(200);
    assert_eq!(owner.delete(&path).await.status, 204);
    put(&owner, &path, report(Value::Null)).await.expect(200);
}

#[tokio::test]
async fn only_those_who_act_across_accounts_run_nodes() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let within = manager(&operator, &account, &VERIFY).await;
    let within = api.bearer(text(&within, "token"));
    let scopes = json!({ "scopes": ["tollkeeper:events.read", "tollkeeper:accounts.write"] });
    let without = operator
        .issue(&system_account(&operator).await, scopes)
        .await;
    let without = api.bearer(text(&without, "token"));
    let path = new_node();
    let asked = |person: &Person| {
        [
            person
                .request(Method::PUT, &path)
                .json(&report(Value::Null)),
            person.request(Method::DELETE, &path),
            person
                .request(Method::POST, "/v1/nodes/lookup")
                .json(&json!({ "digests": [] })),
            person.request(Method::GET, "/v1/nodes/events?after=0&limit=1"),
            person
                .request(Method::POST, "/v1/nodes/ledger")
                .json(&json!({ "sources": [] })),
            person
                .request(Method::POST, "/v1/nodes/balances")
                .json(&json!({ "own": [], "balances": [] })),
        ]
    };
    for (person, status, code) in [
        (&within, 403, "BEYOND_AUTHORITY"),
        (&without, 403, "INSUFFICIENT_SCOPE"),
        (&api.nobody(), 401, "UNAUTHENTICATED"),
    ] {
        for request in asked(person) {
            problem(&Person::send(request).await, status, code);
        }
    }
    for request in asked(&operator) {
        let two = Person::send(request.bearer_auth("tk_live_x")).await;
        problem(&two, 400, "TWO_CREDENTIALS");
    }
}

#[tokio::test]
async fn a_node_reads_tokens_the_log_and_the_ledger_and_no_digest_goes_out() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let (operator, gateway) = (api.operator(), gateway(&api).await);
    let account = operator.account("crm-1").await;
    let quotas = json!([{ "name": "month", "limit": 9, "refill": "monthly" }]);
    let of_account = json!({ "quotas": quotas });
    let path = format!("/v1/accounts/{account}");
    operator.patch(&path, of_account).await.expect(200);
    let fields = json!({
        "scopes": ["orders:read"], "allowed_cidrs": ["192.0.2.0/24"], "quotas": quotas,
    });
    let token = operator.issue(&account, fields).await;
    let rotate = format!("{}/rotate", path_of(&token));
    let rotated = operator
        .post(&rotate, json!({ "grace_seconds": 60 }))
        .await
        .expect(200);
    let digests = [
        unissued().as_str(),
        text(&token, "token"),
        text(&rotated, "token"),
    ]
    .map(digest);

    let body = json!({ "digests": digests });
    let answer = gateway.post("/v1/nodes/lookup", body).await;
    let found = answer.expect(200);
    let mut tokens = found["found"].as_array().unwrap().clone();
    tokens.sort_by_key(|token| token["index"].as_u64());
    assert_eq!(tokens.len(), 2);
    for (index, token) in (1..).zip(&tokens) {
        assert_eq!(token["index"], index);
        assert_eq!(token["token"]["version"], 2);
        assert_eq!(token["token"]["scopes"], json!(["orders:read"]));
        assert_eq!(token["token"]["secret_valid_until"].is_null(), index == 2);
        let networks = &token["token"]["restrictions"]["allowed_cidrs"];
        assert_eq!(networks, &json!(["192.0.2.0/24"]));
        let of_token = &token["token"]["restrictions"]["quotas"][0];
        assert_eq!(
            (&of_token["name"], &of_token["generation"]),
            (&json!("month"), &json!(1))
        );
        assert_eq!(&token["account"]["quotas"][0], of_token);
        assert_eq!(token["account"]["account_id"], *account);
    }

    let page = gateway.get("/v1/nodes/events?after=0&limit=1000").await;
    let events = page.expect(200)["items"].as_array().unwrap().clone();
    assert_eq!(
        events.last().unwrap()["position"],
        found["head"]["position"]
    );
    assert_eq!(events.last().unwrap()["hash"], found["head"]["hash"]);
    let with_secrets: Vec<_> = events
        .iter()
        .filter(|it| it["new_secrets"] == true)
        .collect();
    // The gateway's own token, the issued one, and its second secret.
    assert_eq!(with_secrets.len(), 3, "{events:?}");
    for text in [&answer.text, &page.text] {
        for digest in &digests {
            assert!(!text.contains(digest.as_str().unwrap()), "{text}");
        }
    }
    let two = gateway
        .get("/v1/nodes/events?after=1&limit=2")
        .await
        .expect(200);
    assert_eq!(two["items"], json!(events[1..3]));

    let body = json!({ "sources": [Uuid::nil()] });
    let settled = gateway.post("/v1/nodes/ledger", body).await.expect(200);
    assert_eq!(settled["settled"], json!([]));
    for row in [
        "insert into usage_sources (source) values ($1)",
        "insert into usage_ledger (source, first, last, outcome) values ($1, 1, 7, 'counted')",
        "update usage_sources set final_sequence = 9 where source = $1",
    ] {
        let row = sqlx::query(row).bind(Uuid::nil());
        row.execute(&stack.database.pool).await.unwrap();
    }
    let body = json!({ "sources": [Uuid::nil()] });
    let settled = gateway.post("/v1/nodes/ledger", body).await.expect(200);
    let expected = json!([{ "source": Uuid::nil(), "ranges": [[1, 7]], "final_sequence": 9 }]);
    assert_eq!(settled["settled"], expected);
}

#[tokio::test]
async fn what_no_node_would_say_is_refused() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let gateway = gateway(&api).await;
    let path = new_node();
    let with = |name: &str, value: Value| {
        let mut body = report(Value::Null);
        body[name] = value;
        body
    };
    let head = |name: &str, value: Value| {
        let mut head = json!({ "position": 0, "hash": "0".repeat(64), "generation": 0 });
        head[name] = value;
        with("applied", head)
    };
    for (body, pointer) in [
        (with("name", json!("")), "/name"),
        (with("name", json!("a".repeat(101))), "/name"),
        (with("version", json!("a\nb")), "/version"),
        (with("valid_for_ms", json!(604_800_001)), "/valid_for_ms"),
        (head("position", json!(u64::MAX)), "/applied/position"),
        (head("generation", json!(u64::MAX)), "/applied/generation"),
        (head("hash", json!("00")), "/applied/hash"),
        (with("more", json!(1)), "/more"),
    ] {
        bad_fields(&put(&gateway, &path, body).await, &[pointer]);
    }
    problem(
        &put(&gateway, "/v1/nodes/x", report(Value::Null)).await,
        404,
        "NOT_FOUND",
    );

    let many = json!({ "digests": vec![digest("a"); 129] });
    bad_fields(&gateway.post("/v1/nodes/lookup", many).await, &["/digests"]);
    let short = json!({ "digests": ["00"] });
    bad_fields(
        &gateway.post("/v1/nodes/lookup", short).await,
        &["/digests/0"],
    );
    let many = json!({ "sources": vec![Uuid::nil(); 1_001] });
    bad_fields(&gateway.post("/v1/nodes/ledger", many).await, &["/sources"]);
    for query in [
        "",
        "?after=0",
        "?limit=1",
        "?after=-1&limit=1",
        "?after=0&limit=0",
        "?after=0&limit=1001",
    ] {
        let refused = gateway.get(&format!("/v1/nodes/events{query}")).await;
        problem(&refused, 400, "INVALID_QUERY");
    }

    // Bodies are read as everywhere.
    for (method, path) in [
        (Method::PUT, path.as_str()),
        (Method::POST, "/v1/nodes/lookup"),
        (Method::POST, "/v1/nodes/ledger"),
        (Method::POST, "/v1/nodes/balances"),
    ] {
        let ask = || gateway.request(method.clone(), path);
        problem(
            &Person::send(ask().body("{}")).await,
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        );
        let json = || ask().header("Content-Type", "application/json");
        problem(&Person::send(json().body("{")).await, 400, "MALFORMED_JSON");
        let large = Person::send(json().body(" ".repeat(64 * 1024 + 1))).await;
        problem(&large, 413, "BODY_TOO_LARGE");
    }
}

#[tokio::test]
async fn without_the_primary_a_node_is_told_nothing() {
    let mut stack = Stack::bare().await;
    let proxy = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(proxy.address());
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let path = new_node();
    put(&operator, &path, report(Value::Null)).await.expect(200);
    proxy.cut();
    let asked = || {
        [
            operator
                .request(Method::PUT, &path)
                .json(&report(Value::Null)),
            operator
                .request(Method::POST, "/v1/nodes/lookup")
                .json(&json!({ "digests": [digest("a")] })),
            operator.request(Method::GET, "/v1/nodes/events?after=0&limit=1"),
            operator
                .request(Method::POST, "/v1/nodes/ledger")
                .json(&json!({ "sources": [Uuid::nil()] })),
            operator
                .request(Method::POST, "/v1/nodes/balances")
                .json(&json!({ "own": [], "balances": [] })),
        ]
    };
    for request in asked() {
        problem(&Person::send(request).await, 503, "UNAVAILABLE");
    }
    proxy.resume();
    for request in asked() {
        tollkeeper_testkit::wait_for("the primary", async || {
            let again = request.try_clone().expect("a body in memory");
            Person::send(again).await.status == 200
        })
        .await;
    }
}
