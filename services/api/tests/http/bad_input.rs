//! What nobody should send.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tollkeeper_testkit::Stack;
use tollkeeper_testkit::stack::{Answer, Person};

use crate::raw::exchange;
use crate::support::{bad_fields, challenged, problem, text, unissued, with_header};

/// A body as it is, said to be JSON.
async fn post(person: &Person, path: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = person.request(Method::POST, path).body(body);
    Person::send(request.header(CONTENT_TYPE, "application/json")).await
}

#[tokio::test]
async fn bodies_are_read_strictly() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;

    for path in ["/v1/tokens", "/v1/accounts", "/v1/verify"] {
        for body in ["", "{", "nonsense", "\u{0}", "{\"\u{1}\":1}"] {
            problem(&post(&operator, path, body).await, 400, "MALFORMED_JSON");
        }
        for body in ["[]", "1", "null", "\"text\""] {
            bad_fields(&post(&operator, path, body).await, &[""]);
        }
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonp",
        ] {
            let request = operator.request(Method::POST, path).body("{}");
            let answer = Person::send(request.header(CONTENT_TYPE, kind)).await;
            problem(&answer, 415, "UNSUPPORTED_MEDIA_TYPE");
        }
        bad_fields(&post(&operator, path, "{\"color\":1}").await, &["/color"]);
    }

    for body in ["{}{}", "{} x", "{\"name\":\"\u{1}\"}"] {
        let answer = post(&operator, "/v1/accounts", body).await;
        problem(&answer, 400, "MALFORMED_JSON");
    }
    let bytes = b"{\"name\":\"\xff\xfe\"}".to_vec();
    let answer = post(&operator, "/v1/accounts", bytes).await;
    problem(&answer, 400, "MALFORMED_JSON");
    let deep = "[".repeat(10_000);
    let deep = post(
        &operator,
        "/v1/tokens",
        format!("{{\"metadata\":{{\"a\":{deep}"),
    )
    .await;
    assert_eq!(deep.status / 100, 4, "{}", deep.text);
    let twice = "{\"name\":\"a\",\"name\":\"b\"}";
    assert_eq!(post(&operator, "/v1/tokens", twice).await.status, 422);

    let fields = |patch: Value| {
        let mut fields = json!({ "account_id": account, "name": "a token" });
        for (name, value) in patch.as_object().unwrap() {
            fields[name] = value.clone();
        }
        fields
    };
    let many: Vec<String> = (0..101).map(|number| format!("s{number}")).collect();
    for (patch, pointers) in [
        (json!({ "name": 1 }), vec!["/name"]),
        (json!({ "name": null }), vec!["/name"]),
        (json!({ "name": "" }), vec!["/name"]),
        (json!({ "name": "   " }), vec!["/name"]),
        (json!({ "name": "x".repeat(101) }), vec!["/name"]),
        (json!({ "name": "a\u{0}b" }), vec!["/name"]),
        (json!({ "account_id": "x" }), vec!["/account_id"]),
        (json!({ "environment": "prod" }), vec!["/environment"]),
        (json!({ "scopes": "a" }), vec!["/scopes"]),
        (json!({ "scopes": ["a", 1] }), vec!["/scopes/1"]),
        (
            json!({ "scopes": ["a", "A b", "", "a*b", "x".repeat(51)] }),
            vec!["/scopes/1", "/scopes/2", "/scopes/3", "/scopes/4"],
        ),
        (
            json!({ "scopes": ["tollkeeper:*", "tollkeeper:everything"] }),
            vec!["/scopes/0", "/scopes/1"],
        ),
        (json!({ "scopes": many }), vec!["/scopes"]),
        (json!({ "metadata": [] }), vec!["/metadata"]),
        (
            json!({ "metadata": { "a": "x".repeat(2048) } }),
            vec!["/metadata"],
        ),
        (json!({ "metadata": { "a": "\u{0}" } }), vec!["/metadata"]),
        (json!({ "metadata": { "a": u64::MAX } }), vec!["/metadata"]),
        (json!({ "expires_at": "tomorrow" }), vec!["/expires_at"]),
        (json!({ "expires_at": 5 }), vec!["/expires_at"]),
        (
            json!({ "expires_in_minutes": "5" }),
            vec!["/expires_in_minutes"],
        ),
        (
            json!({ "expires_in_minutes": 1.5 }),
            vec!["/expires_in_minutes"],
        ),
        (json!({ "state": "active" }), vec!["/state"]),
        (
            json!({ "name": "", "scopes": ["?"], "metadata": { "a": "\u{0}" } }),
            vec!["/name", "/metadata", "/scopes/0"],
        ),
    ] {
        let answer = operator.post("/v1/tokens", fields(patch)).await;
        bad_fields(&answer, &pointers);
    }
    bad_fields(
        &operator
            .post("/v1/tokens", json!({ "account_id": account }))
            .await,
        &[""],
    );
    let listed = operator.get("/v1/tokens").await.expect(200);
    assert!(listed["items"].as_array().unwrap().is_empty(), "{listed}");

    let edge = fields(json!({ "name": "é".repeat(100), "scopes": ["x".repeat(50)] }));
    operator.post("/v1/tokens", edge).await.expect(201);
}

#[tokio::test]
async fn bodies_have_an_end() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let limit = 64 * 1024;
    let body = |size: usize| {
        let frame = json!({ "color": "" }).to_string().len();
        json!({ "color": "x".repeat(size - frame) }).to_string()
    };
    for path in ["/v1/accounts", "/v1/tokens", "/v1/verify"] {
        let answer = post(&operator, path, body(limit)).await;
        bad_fields(&answer, &["/color"]);
        let answer = post(&operator, path, body(limit + 1)).await;
        problem(&answer, 413, "BODY_TOO_LARGE");
    }

    // Of no stated length, so that only reading it tells.
    let head = format!(
        "POST /v1/accounts HTTP/1.1\r\nHost: a\r\nX-API-Key: {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        tollkeeper_testkit::stack::OPERATOR_KEY
    );
    let body = body(limit + 1);
    let large = format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let no_chunk = format!("{head}nonsense\r\n");
    for (request, status, code) in [
        (large, "413", "BODY_TOO_LARGE"),
        (no_chunk, "400", "BODY_UNREADABLE"),
    ] {
        let answer = exchange(api.public, request.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.contains(code), "{answer}");
    }
}

#[tokio::test]
async fn headers_of_garbage_bytes_are_answered() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let garbage = b"\xff\xfe\x80\x81\xc3";
    for (path, header, status, code) in [
        ("/v1/tokens", "X-API-Key: ", "401", "MALFORMED"),
        ("/v1/tokens", "Authorization: Bearer ", "401", "MALFORMED"),
        ("/v1/tokens", "Authorization: ", "400", "INVALID_HEADER"),
        (
            "/v1/tokens",
            "Authorization: Bearer a.b.",
            "401",
            "INVALID_JWT",
        ),
        ("/v1/tokens", "X-Request-Id: ", "401", "UNAUTHENTICATED"),
        ("/v1/forward-auth", "X-API-Key: ", "401", "MALFORMED"),
        (
            "/v1/forward-auth",
            "Authorization: Bearer ",
            "401",
            "MALFORMED",
        ),
        (
            "/v1/forward-auth",
            "X-Request-Id: ",
            "401",
            "UNAUTHENTICATED",
        ),
    ] {
        let mut request =
            format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{header}").into_bytes();
        request.extend_from_slice(garbage);
        request.extend_from_slice(b"\r\n\r\n");
        let answer = exchange(api.public, &request).await;
        let context = format!("{path} {header} {answer}");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{context}"
        );
        assert!(
            answer.contains(&format!("\"code\":\"{code}\"")),
            "{context}"
        );
    }
    for request in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"GET / HTTP/9\r\n\r\n",
        b"\r\n\r\n\0\r\n",
    ] {
        let answer = exchange(api.public, request).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
            "{answer}"
        );
    }
    api.operator().get("/v1/tokens").await.expect(200);
}

#[tokio::test]
async fn every_answer_has_the_requests_id() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let ask = async |path: &str, id: &str| {
        let header = ("x-request-id", id);
        with_header(&operator, Method::GET, path, header, None).await
    };
    let unknown = "/v1/tokens/nonsense";
    for (path, status) in [("/v1/tokens", 200), (unknown, 404), ("/nowhere", 404)] {
        let answer = ask(path, "Trace_1.a-b").await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-request-id"), Some("Trace_1.a-b"));
    }
    assert_eq!(
        text(
            &problem(&ask(unknown, "r-1").await, 404, "NOT_FOUND"),
            "request_id"
        ),
        "r-1"
    );
    let header = ("x-request-id", "proxy-7");
    let path = "/v1/forward-auth";
    let refused = with_header(&api.nobody(), Method::GET, path, header, None).await;
    assert_eq!(refused.header("x-request-id"), Some("proxy-7"));
    assert_eq!(text(&refused.json(), "request_id"), "proxy-7");
    let long = "x".repeat(129);
    for odd in ["two words", "<script>", long.as_str()] {
        let answer = problem(&ask(unknown, odd).await, 404, "NOT_FOUND");
        let own = text(&answer, "request_id").to_owned();
        assert!(own.parse::<uuid::Uuid>().is_ok(), "{own}");
    }
    let (one, two) = (operator.get(unknown).await, operator.get(unknown).await);
    let id = |answer| text(&problem(answer, 404, "NOT_FOUND"), "request_id").to_owned();
    assert_ne!(id(&one), id(&two));

    let header = ("x-request-id", "order-66");
    let made = with_header(
        &operator,
        Method::POST,
        "/v1/accounts",
        header,
        Some(json!({})),
    )
    .await;
    assert_eq!(made.status, 201);
    let logged = sqlx::query_as::<_, (String, String)>("select request_id, actor from events");
    let logged = logged.fetch_all(&stack.database.pool).await.unwrap();
    assert_eq!(
        logged,
        [("order-66".to_owned(), "operator:test".to_owned())]
    );
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    for path in [
        "/",
        "/v1",
        "/v1/tokens/",
        "/v1/tokens/a/b/c",
        "/v1/forward-authority",
        "/v1/forward-auth%2Fa",
        "/readyz",
        "/metrics",
        "/livez",
    ] {
        problem(&operator.get(path).await, 404, "NOT_FOUND");
    }
    for (method, path, allowed) in [
        (Method::PUT, "/v1/tokens", ["GET", "POST"]),
        (Method::DELETE, "/v1/accounts", ["GET", "POST"]),
        (Method::POST, "/v1/tokens/x", ["PATCH", "DELETE"]),
        (Method::GET, "/v1/verify", ["POST", "POST"]),
        (Method::GET, "/v1/tokens/x/rotate", ["POST", "POST"]),
    ] {
        let answer = Person::send(operator.request(method, path)).await;
        problem(&answer, 405, "METHOD_NOT_ALLOWED");
        let allow = answer.header("allow").unwrap_or_default();
        assert!(
            allowed.iter().all(|method| allow.contains(method)),
            "{allow}"
        );
    }
    let challenge = api.nobody().get("/v1/tokens").await;
    problem(&challenge, 401, "UNAUTHENTICATED");
    challenged(&challenge, None);
}

#[tokio::test]
async fn a_token_in_the_wrong_place_is_not_repeated() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[("TOLLKEEPER_LOG", "debug")]).await;
    let operator = api.operator();
    let token = unissued();
    for (path, body) in [
        ("/v1/verify", json!(token)),
        ("/v1/verify", json!({ "token": { "a": token } })),
        ("/v1/verify", json!({ &token: 1 })),
        ("/v1/verify/batch", json!({ "items": [token] })),
        ("/v1/verify/batch", json!({ "items": [{ &token: 1 }] })),
        ("/v1/verify/batch", json!({ "items": token })),
    ] {
        let answer = operator.post(path, body).await;
        problem(&answer, 422, "INVALID_FIELDS");
        assert!(!answer.text.contains(&token), "{}", answer.text);
    }
    let answer = operator.get(&format!("/v1/tokens?state={token}")).await;
    problem(&answer, 400, "INVALID_QUERY");
    assert!(!answer.text.contains(&token), "{}", answer.text);
    assert!(!api.log_text().contains(&token));
}
