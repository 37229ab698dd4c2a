//! A gate by the user and the role that are made for gates: all that it does works with them.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use serde_json::{Value, json};
use tollkeeper_testkit::{Stack, wait_for};
use tollkeeper_tower::{Gate, GateConfig, Source};
use tower::ServiceExt;

use crate::broker::apply;

const NATS_URL: &str = "TOLLKEEPER_NATS_URL";

/// Where the gate reads.
#[derive(Clone, Copy)]
enum Reads {
    Postgres,
    Api,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_does_its_work_with_what_its_user_and_its_role_may() {
    a_gate_does_its_work(Reads::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_without_the_database_does_its_work_with_what_its_user_may() {
    a_gate_does_its_work(Reads::Api).await;
}

async fn a_gate_does_its_work(reads: Reads) {
    let mut stack = Stack::with_users().await;
    apply(&stack.nats);
    let as_api = stack.nats.url_of("tollkeeper-api");
    let as_ingestor = stack.nats.url_of("tollkeeper-ingestor");
    let api = stack.api(&[(NATS_URL, &as_api)]).await;
    let _ingestor = stack.ingestor(&[(NATS_URL, &as_ingestor)]).await;
    let operator = api.operator();
    let source = match reads {
        Reads::Postgres => Source::postgres(stack.database.url_of("tollkeeper_gate")),
        Reads::Api => {
            let system = json!({ "role": "system" });
            let system = operator.post("/v1/accounts", system).await.expect(201);
            let fields = json!({ "scopes": ["tollkeeper:verify"] });
            let own = operator.issue(text(&system, "id"), fields).await;
            Source::api(format!("http://{}", api.public), text(&own, "token"))
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let config = GateConfig::new(
        "orders",
        source,
        stack.nats.url_of("tollkeeper-gate"),
        "tk".parse().unwrap(),
        folder.path().join("spool"),
    );
    let gate = Gate::start(config).await.unwrap();
    gate.ready().await;
    let app = Router::new()
        .route("/", get(async || "passed"))
        .layer(gate.layer());

    // It hears the API, and the API hears it.
    wait_for("the API to be heard", async || {
        let status = gate.status();
        (status.nodes_heard, status.nodes_sharing) == (2, 2)
    })
    .await;
    let account = operator.account("acme").await;
    let fields = json!({
        "rate_limits": [{ "name": "day", "limit": 9, "window_seconds": 86_400 }],
        "quotas": [{ "name": "all", "limit": 7 }],
    });
    let issued = operator.issue(&account, fields).await;
    let (id, secret) = (text(&issued, "id"), text(&issued, "token"));
    for _ in 0..3 {
        assert_eq!(ask(&app, secret).await, (200, None));
    }
    wait_for("the API to know what the gate let through", async || {
        let question = json!({ "token": secret, "cost": 0 });
        let answer = operator.post("/v1/verify", question).await.expect(200);
        answer["rate_limits"][0]["remaining"] == 6
    })
    .await;
    wait_for("the calls to be counted", async || {
        counted(&stack, id).await == 3
    })
    .await;
    assert_eq!(marked(&stack, &gate).await, 1);

    let path = format!("/v1/tokens/{id}?wait=applied");
    let receipt = operator.delete(&path).await.expect(200);
    assert_eq!(ask(&app, secret).await, (401, Some("REVOKED".to_owned())));
    assert!(
        receipt.to_string().contains(&gate.node_id().to_string()),
        "the receipt names the gate: {receipt}"
    );
    let heard = gate.status().counts;
    assert_eq!(heard.limits_not_heeded, 0);
    let node = gate.node_id();
    assert!(gate.shutdown().await.complete);
    let left: i64 = sqlx::query_scalar("select count(*) from nodes where id = $1")
        .bind(node)
        .fetch_one(&stack.database.pool)
        .await
        .unwrap();
    assert_eq!(left, 0, "the gate takes leave");
    wait_for("the refusal to be counted", async || {
        counted(&stack, id).await == 4
    })
    .await;
}

/// How many requests at the gate are counted of a token: questions to the API have no method.
async fn counted(stack: &Stack, token: &str) -> i64 {
    sqlx::query_scalar(
        "select count(*) from api_token_usage where token_id = $1::uuid and method = 'GET'",
    )
    .bind(token)
    .fetch_one(&stack.database.pool)
    .await
    .unwrap()
}

/// How many marks are kept of how far the gate's usage has got, once there is any.
async fn marked(stack: &Stack, gate: &Gate) -> i64 {
    let marks = async || -> i64 {
        sqlx::query_scalar("select count(*) from usage_reporters where id = $1")
            .bind(gate.node_id())
            .fetch_one(&stack.database.pool)
            .await
            .unwrap()
    };
    wait_for("a mark", async || marks().await > 0).await;
    marks().await
}

/// What a request with this token is answered: the status, and the code of a refusal.
async fn ask(app: &Router, secret: &str) -> (u16, Option<String>) {
    let request = Request::get("/").header("X-API-Key", secret);
    let request = request.body(Body::empty()).unwrap();
    let answer = app.clone().oneshot(request).await.unwrap();
    let code = answer.headers().get("x-tollkeeper-code");
    let code = code.map(|code| code.to_str().unwrap().to_owned());
    (answer.status().as_u16(), code)
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap()
}
