//! The trace of a change: from the request to the log, the broker and webhooks.

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use parking_lot::Mutex;
use serde_json::json;
use tokio::net::TcpListener;
use tollkeeper_testkit::{Stack, TraceReceiver, wait_for, wait_for_some};

use crate::support::{LOUD, SPAN, TRACE, header, lifecycle, line, parent, post};

const ENDPOINT: &str = "TOLLKEEPER_OTLP_ENDPOINT";
const RATIO: &str = "TOLLKEEPER_TRACE_RATIO";

/// A key of 32 bytes under a name.
const SEAL_KEY: &str = "now:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The kinds of spans, as OTLP numbers them.
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;

/// An endpoint of webhooks that keeps the headers of what arrives.
async fn hook() -> (String, Arc<Mutex<Vec<HeaderMap>>>) {
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&arrived);
    let app = Router::new().fallback(async move |headers: HeaderMap| kept.lock().push(headers));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!(
        "http://{}/a-path-of-its-own",
        listener.local_addr().unwrap()
    );
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, arrived)
}

#[tokio::test]
async fn a_change_is_told_of_in_its_senders_trace() {
    let receiver = TraceReceiver::start().await;
    let endpoint = receiver.endpoint();
    let mut stack = Stack::bare().await;
    let settings = [
        (ENDPOINT, endpoint.as_str()),
        (RATIO, "0"),
        ("TOLLKEEPER_WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8"),
        ("TOLLKEEPER_SEAL_KEYS", SEAL_KEY),
    ];
    let api = stack.api(&[&settings[..], &LOUD[..]].concat()).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let (url, arrived) = hook().await;
    let webhook = json!({ "account_id": account, "url": url });
    operator.post("/v1/webhooks", webhook).await.expect(201);

    let parent = parent(true);
    let headers = [
        ("traceparent", parent.as_str()),
        ("tracestate", "vendor=a,other=b"),
        ("x-request-id", "traced-1"),
    ];
    let body = json!({ "account_id": account, "name": "ci" });
    let answer = post(&operator, "/v1/tokens", &headers, body).await;
    answer.expect(201);

    let of_trace = |name: &'static str| {
        move |it: &tollkeeper_testkit::ReceivedSpan| it.trace() == TRACE && it.span.name == name
    };
    let server = receiver
        .span("the server's span", of_trace("POST /v1/tokens"))
        .await;
    assert_eq!((server.parent().as_str(), server.span.kind), (SPAN, SERVER));
    assert_eq!(server.service, "tollkeeper-api");
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/v1/tokens"),
        ("http.response.status_code", "201"),
        ("url.path", "/v1/tokens"),
        ("url.scheme", "http"),
        ("tollkeeper.request_id", "traced-1"),
    ] {
        assert_eq!(server.attribute(name).as_deref(), Some(value), "{name}");
    }
    let append = receiver
        .span("the log's span", of_trace("append_group"))
        .await;
    assert_eq!((append.parent(), append.span.kind), (server.id(), CLIENT));
    assert_eq!(
        append.attribute("db.system.name").as_deref(),
        Some("postgresql")
    );

    let publish = receiver
        .span(
            "the relay's span",
            of_trace("publish lifecycle.TokenIssued"),
        )
        .await;
    assert_eq!(
        (publish.parent(), publish.span.kind),
        (server.id(), PRODUCER)
    );
    let message = lifecycle(&stack, "TokenIssued").await;
    let told = format!("00-{TRACE}-{}-01", publish.id());
    assert_eq!(header(&message, "traceparent"), Some(told));
    assert_eq!(
        header(&message, "tracestate").as_deref(),
        Some("vendor=a,other=b")
    );

    let delivery = receiver.span("the webhook's span", of_trace("POST")).await;
    assert_eq!(
        (delivery.parent(), delivery.span.kind),
        (server.id(), CLIENT)
    );
    assert_eq!(
        delivery.attribute("server.address").as_deref(),
        Some("127.0.0.1")
    );
    assert!(!format!("{:?}", delivery.span).contains("a-path-of-its-own"));
    let told = format!("00-{TRACE}-{}-01", delivery.id());
    let arrived = arrived.lock().iter().any(|it| it["traceparent"] == told);
    assert!(arrived, "the webhook is told of the span");

    // Nobody has decided about the other requests, and the ratio is 0.
    assert!(receiver.spans().iter().all(|span| span.trace() == TRACE));
    let refused = post(&operator, "/v1/tokens", &headers[..1], json!({})).await;
    let id = refused.header("x-request-id").unwrap().to_owned();
    let told = line(&api, "a line of the trace", |it| {
        it["request_id"] == id.as_str()
    })
    .await;
    assert_eq!(told["span"]["trace_id"], TRACE);
}

#[tokio::test]
async fn a_trace_that_is_not_recorded_is_handed_on_as_it_came() {
    let receiver = TraceReceiver::start().await;
    let endpoint = receiver.endpoint();
    let mut stack = Stack::bare().await;
    let api = stack.api(&[(ENDPOINT, &endpoint), (RATIO, "1")]).await;
    let parent = parent(false);
    let body = json!({ "external_id": "crm-1" });
    let headers = [("traceparent", parent.as_str())];
    let answer = post(&api.operator(), "/v1/accounts", &headers, body).await;
    answer.expect(201);
    let message = lifecycle(&stack, "AccountRegistered").await;
    assert_eq!(header(&message, "traceparent"), Some(parent));
    // What comes after it is recorded, and so would it have been.
    api.operator().get("/v1/nodes").await.expect(200);
    receiver
        .span("a later span", |it| it.span.name == "GET /v1/nodes")
        .await;
    assert!(receiver.spans().iter().all(|span| span.trace() != TRACE));
}

#[tokio::test]
async fn an_invalid_parent_is_as_good_as_none() {
    let receiver = TraceReceiver::start().await;
    let endpoint = receiver.endpoint();
    let mut stack = Stack::bare().await;
    let api = stack.api(&[(ENDPOINT, &endpoint), (RATIO, "1")]).await;
    let operator = api.operator();
    let valid = parent(true);
    for (number, headers) in [
        vec![(
            "traceparent",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        )],
        vec![(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        )],
        vec![
            ("traceparent", valid.as_str()),
            ("traceparent", valid.as_str()),
        ],
        vec![("tracestate", "vendor=a")],
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("invalid-{number}");
        let mut headers = headers;
        headers.push(("x-request-id", &id));
        let answer = post(&operator, "/v1/accounts", &headers, json!({})).await;
        answer.expect(201);
        let span = receiver
            .span(&id, |it| {
                it.attribute("tollkeeper.request_id").as_deref() == Some(&id)
            })
            .await;
        assert_eq!(span.parent(), "", "{id}");
        assert_ne!(span.trace(), TRACE, "{id}");
        assert_eq!(span.span.trace_state, "", "{id}");
    }
}

#[tokio::test]
async fn without_a_receiver_nothing_is_sent_and_nothing_handed_on() {
    let receiver = TraceReceiver::start().await;
    let mut stack = Stack::bare().await;
    let api = stack.api(&[(RATIO, "1")]).await;
    let parent = parent(true);
    let body = json!({ "external_id": "crm-1" });
    let headers = [("traceparent", parent.as_str())];
    let answer = post(&api.operator(), "/v1/accounts", &headers, body).await;
    answer.expect(201);
    let message = lifecycle(&stack, "AccountRegistered").await;
    assert_eq!(header(&message, "traceparent"), None);
    let noted = sqlx::query_scalar::<_, i64>("select count(*) from event_traces");
    assert_eq!(noted.fetch_one(&stack.database.pool).await.unwrap(), 0);
    assert!(receiver.bodies().is_empty());
}

#[tokio::test]
async fn traces_of_events_go_when_they_are_old() {
    let receiver = TraceReceiver::start().await;
    let endpoint = receiver.endpoint();
    let mut stack = Stack::bare().await;
    let pool = stack.database.pool.clone();
    let add = "insert into event_traces (event_id, traceparent, noted_at)
        select gen_random_uuid(), $1, clock_timestamp() - make_interval(days => days)
        from generate_series(1, 10) as days";
    let added = sqlx::query(add).bind(parent(true)).execute(&pool).await;
    assert_eq!(added.unwrap().rows_affected(), 10);
    let _api = stack.api(&[(ENDPOINT, &endpoint)]).await;
    wait_for("what is old to go", async || {
        let left = sqlx::query_scalar::<_, i64>("select count(*) from event_traces");
        left.fetch_one(&pool).await.unwrap() == 6
    })
    .await;
}

#[tokio::test]
async fn what_is_no_endpoint_stops_the_start_with_its_name() {
    let mut stack = Stack::bare().await;
    for start in [Stack::starting_api, Stack::starting_ingestor] {
        let mut node = start(&mut stack, &[(ENDPOINT, "collector:4317")]);
        let said = wait_for_some("the complaint", async || {
            let said = node.log_text();
            said.contains(ENDPOINT).then_some(said)
        })
        .await;
        assert!(said.contains("`http://` and `https://`"), "{said}");
        assert!(!node.stop().await.success());
    }
}
