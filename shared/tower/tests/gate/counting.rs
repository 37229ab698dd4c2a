//! Each call of a known token is counted once, with the status it came to.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_testkit::wait_for;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{House, Reads, ask, serve, status};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_becomes_of_a_call_it_is_counted_once_by_postgres() {
    whatever_becomes_of_a_call_it_is_counted_once(Reads::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_becomes_of_a_call_it_is_counted_once_by_the_api() {
    whatever_becomes_of_a_call_it_is_counted_once(Reads::Api).await;
}

async fn whatever_becomes_of_a_call_it_is_counted_once(reads: Reads) {
    let mut house = House::where_gates_read(reads).await;
    let _ingestor = house.stack.ingestor(&[]).await;
    let gate = house.gate().await;
    let token = house.issue(json!({})).await;

    // Answers of the service's own.
    let app = Router::new()
        .route("/", get(async || "well"))
        .route("/made", get(async || StatusCode::CREATED))
        .route("/broken", get(async || StatusCode::BAD_GATEWAY))
        .layer(gate.layer());
    for (path, status) in [("/", 200), ("/made", 201), ("/broken", 502), ("/none", 404)] {
        let answer = ask(&app, token.request(path)).await;
        assert_eq!(answer.status(), status, "{path}");
    }

    // A service that fails has no answer.
    let failing = gate.layer().layer(service_fn(async |_: Request<Body>| {
        Err::<Response<Bytes>, _>("no answer")
    }));
    assert_eq!(
        failing.oneshot(token.request("/")).await.unwrap_err(),
        "no answer"
    );

    // Nor has one that panics.
    let panicking = gate
        .layer()
        .layer(service_fn(async |request: Request<Body>| {
            assert!(request.uri().path().is_empty(), "a panic of the test's own");
            Ok::<_, Infallible>(Response::new(Bytes::new()))
        }));
    let asked = tokio::spawn(panicking.oneshot(token.request("/")));
    assert!(asked.await.unwrap_err().is_panic());

    // A client that hangs up while the service is at work.
    let reached = Arc::new(Notify::new());
    let slow = {
        let reached = Arc::clone(&reached);
        let wait = async move || {
            reached.notify_one();
            pending::<StatusCode>().await
        };
        Router::new().route("/", get(wait)).layer(gate.layer())
    };
    let mut client = TcpStream::connect(serve(slow).await).await.unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX-API-Key: {}\r\n\r\n",
        token.secret
    );
    client.write_all(request.as_bytes()).await.unwrap();
    reached.notified().await;
    drop(client);

    let expected = [200, 201, 404, 499, 500, 500, 502].map(|status| (status, Verdict::Valid));
    assert_eq!(house.counted(&token, expected.len()).await, expected);
    assert!(gate.shutdown().await.complete);
    assert_eq!(house.counted(&token, expected.len()).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_after_its_head_is_counted_by_the_head() {
    let mut house = House::new().await;
    let _ingestor = house.stack.ingestor(&[]).await;
    let gate = house.gate().await;
    let token = house.issue(json!({})).await;
    let begun = || stream::iter([Ok::<_, &str>(Bytes::from_static(b"begun"))]);
    let has_begun = Arc::new(Notify::new());
    let failing = {
        let has_begun = Arc::clone(&has_begun);
        async move || {
            let end = async move {
                has_begun.notified().await;
                Err("no more of it")
            };
            Body::from_stream(begun().chain(stream::once(end)))
        }
    };
    let endless = async move || Body::from_stream(begun().chain(stream::pending()));
    let app = Router::new()
        .route("/failing", get(failing))
        .route("/endless", get(endless))
        .layer(gate.layer());
    let at = serve(app).await;
    let client = tollkeeper_testkit::http_client();
    let get = async |path: &str| {
        let asked = client.get(format!("http://{at}{path}"));
        asked.bearer_auth(&token.secret).send().await.unwrap()
    };

    // The service breaks off, and the client knows.
    let failing = get("/failing").await;
    assert_eq!(failing.status(), 200);
    has_begun.notify_one();
    assert!(failing.bytes().await.is_err());
    // The client hangs up in the middle.
    let mut endless = get("/endless").await;
    assert_eq!(endless.status(), 200);
    assert_eq!(endless.chunk().await.unwrap().unwrap(), "begun");
    drop(endless);

    assert!(gate.shutdown().await.complete);
    assert_eq!(house.counted(&token, 2).await, [(200, Verdict::Valid); 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_within_another_demands_more_and_counts_nothing() {
    let mut house = House::new().await;
    let _ingestor = house.stack.ingestor(&[]).await;
    let (gate, other) = (house.gate().await, {
        let mut config = house.config();
        config.spool.dir = config.spool.dir.join("of-another");
        crate::support::started(config).await
    });
    let (reader, writer) = (
        house.issue(json!({ "scopes": ["read"] })).await,
        house
            .issue_for(
                &house.operator.account("mill").await,
                json!({ "scopes": ["write"] }),
            )
            .await,
    );
    let inner = gate.layer().scopes(["write"]).unwrap();
    let app = Router::new()
        .route("/", get(async || "written"))
        .route_layer(inner)
        .layer(gate.layer());
    assert_eq!(status(&app, &reader).await, 403);
    assert_eq!(status(&app, &writer).await, 200);
    // A gate of its own counts on its own.
    let app = Router::new()
        .route("/", get(async || "written"))
        .layer(gate.layer());
    assert_eq!(status(&app.layer(other.layer()), &writer).await, 200);

    assert!(gate.shutdown().await.complete && other.shutdown().await.complete);
    let refused = [(403, Verdict::InsufficientScope)];
    assert_eq!(house.counted(&reader, 1).await, refused);
    assert_eq!(house.counted(&writer, 3).await, [(200, Verdict::Valid); 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_is_what_was_asked() {
    let mut house = House::new().await;
    let _ingestor = house.stack.ingestor(&[]).await;
    let gate = house.gate().await;
    let token = house.issue(json!({})).await;
    let orders = Router::new()
        .route("/{id}", get(async || "an order"))
        .layer(gate.layer());
    let at = serve(Router::new().nest("/orders", orders)).await;
    let asked = tollkeeper_testkit::http_client()
        .get(format!("http://{at}/orders/17?page=2"))
        .bearer_auth(&token.secret)
        .header("User-Agent", "a client")
        .header("X-Forwarded-For", "203.0.113.9");
    assert_eq!(asked.send().await.unwrap().status(), 200);
    assert!(gate.shutdown().await.complete);
    house.counted(&token, 1).await;
    let row: (String, String, String, String, i64) = sqlx::query_as(
        "select method, endpoint, user_agent, host(ip), token_version from api_token_usage
        where token_id = $1::uuid",
    )
    .bind(&token.id)
    .fetch_one(&house.stack.database.pool)
    .await
    .unwrap();
    let row = (&*row.0, &*row.1, &*row.2, &*row.3, row.4);
    assert_eq!(row, ("GET", "/orders/17", "a client", "203.0.113.9", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_a_gate_has_got_is_known_when_it_is_gone_by_postgres() {
    how_far_a_gate_has_got_is_known_when_it_is_gone(Reads::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_a_gate_has_got_is_known_when_it_is_gone_by_the_api() {
    how_far_a_gate_has_got_is_known_when_it_is_gone(Reads::Api).await;
}

async fn how_far_a_gate_has_got_is_known_when_it_is_gone(reads: Reads) {
    // Nobody counts, so everything is missing.
    let house = House::where_gates_read(reads).await;
    let gate = house.gate().await;
    let id = gate.node_id().to_string();
    let token = house.issue(json!({})).await;
    let app = Router::new()
        .route("/", get(async || "well"))
        .layer(gate.layer());
    for _ in 0..3 {
        assert_eq!(status(&app, &token).await, 200);
    }
    let sources = async || {
        let path = "/v1/usage/completeness?limit=200";
        let all = house.operator.get(path).await.expect(200);
        let items = all["items"].as_array().unwrap().iter();
        let of_gate = items.filter(|item| item["reporter"]["id"] == *id).cloned();
        of_gate.collect::<Vec<_>>()
    };
    let sum = |sources: &[Value], what: &str| {
        let numbers = sources.iter().map(|item| item[what].as_i64().unwrap());
        numbers.sum::<i64>()
    };
    wait_for("a mark of the three calls", async || {
        sum(&sources().await, "pending") == 3
    })
    .await;
    for source in sources().await {
        assert_eq!(source["state"], "live", "{source}");
        assert_eq!(source["reporter"]["name"], "a service");
    }
    assert_eq!(status(&app, &token).await, 200);
    gate.shutdown().await;
    // A lane that was never used is of no interest when its run is over.
    let after = sources().await;
    assert_eq!(sum(&after, "missing"), 4, "{after:?}");
    assert!(after.iter().all(|source| source["state"] == "ended"));
}
