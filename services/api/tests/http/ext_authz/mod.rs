//! Envoy's `ext_authz` over gRPC, message by message; `services/ctl/tests/proxies` has the real Envoy.

mod holders;
mod traces;
mod wire;

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;

use axum::body::Body;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tollkeeper_embedded::ports;
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{FaultProxy, Stack, wait_for};
use uuid::Uuid;
use wire::{Asked, CHECK, Told, ask, connection, field, framed, send};

use crate::rate_limits::daily;
use crate::support::{limited, path_of, text, unissued};

/// An API that answers Envoy too.
async fn api(stack: &mut Stack, settings: &[(&str, &str)]) -> (Node, SocketAddr) {
    let grpc = SocketAddr::from(([127, 0, 0, 1], ports::free().unwrap()));
    let grpc_text = grpc.to_string();
    let mut all = vec![("TOLLKEEPER_GRPC_LISTEN", grpc_text.as_str())];
    all.extend(settings);
    (stack.api(&all).await, grpc)
}

/// Asks about a request with a bearer, and with this demanded.
async fn bearer(to: SocketAddr, token: &str, context: &[(&str, &str)]) -> Told {
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str())];
    asked(to, &headers, context).await
}

async fn asked(to: SocketAddr, headers: &[(&str, &str)], context: &[(&str, &str)]) -> Told {
    let asked = Asked {
        method: "GET",
        path: "/",
        source: "203.0.113.9",
        headers,
        context,
    };
    ask(to, asked).await
}

#[tokio::test]
async fn who_may_pass_is_named_in_the_place_of_what_the_client_says() {
    let mut stack = Stack::bare().await;
    let (api, grpc) = api(&mut stack, &[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let fields = json!({ "scopes": ["b:*", "a"] });
    let scoped = operator.issue(&account, fields).await;
    let plain = operator.issue(&account, json!({})).await;
    let all: &[(&str, &str)] = &[("scope", "a b:c"), ("env", "live")];
    for (token, scopes, context) in [
        (&scoped, "a b:*", all),
        (&scoped, "a b:*", &[]),
        (&plain, "", &[]),
    ] {
        let told = bearer(grpc, text(token, "token"), context).await;
        assert!(told.passes && told.code == 0, "{told:?}");
        // 2 is OVERWRITE_IF_EXISTS_OR_ADD.
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned(), 2);
        let expected = [
            header("x-tollkeeper-token-id", text(token, "id")),
            header("x-tollkeeper-account-id", &account),
            header("x-tollkeeper-scopes", scopes),
        ];
        assert_eq!(told.headers, expected);
    }
    // A key wins, as it does elsewhere.
    let authorization = format!("Bearer {}", unissued());
    let headers = [
        ("authorization", authorization.as_str()),
        ("x-api-key", text(&plain, "token")),
    ];
    assert!(asked(grpc, &headers, &[]).await.passes);
}

#[tokio::test]
async fn whoever_is_used_up_is_told_when_to_come_again() {
    let mut stack = Stack::bare().await;
    let (api, grpc) = api(&mut stack, &[]).await;
    let token = limited(&api.operator(), json!([daily("day", 10)])).await;
    let secret = text(&token, "token");
    let told = bearer(grpc, secret, &[("cost", "9")]).await;
    assert!(told.passes, "{told:?}");
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned(), 2);
    let expected = [
        header("ratelimit-policy", "\"day\";q=10;w=86400"),
        header("ratelimit", "\"day\";r=1;t=77760"),
    ];
    assert_eq!(told.for_client, expected);
    assert_eq!(
        told.headers.len(),
        3,
        "the service behind is told who it is"
    );

    let told = bearer(grpc, secret, &[("cost", "2")]).await;
    // 8 is RESOURCE_EXHAUSTED.
    assert_eq!((told.status, told.code), (Some(429), 8), "{told:?}");
    assert_eq!(told.header("x-tollkeeper-code"), Some("RATE_LIMITED"));
    let after = told.header("retry-after").unwrap();
    let state = format!("\"day\";r=1;t={after}");
    assert_eq!(told.header("ratelimit"), Some(&*state));
    assert!(bearer(grpc, secret, &[("cost", "0")]).await.passes);
    assert!(bearer(grpc, secret, &[]).await.passes);
    let told = bearer(grpc, secret, &[("cost", "-1")]).await;
    assert_eq!((told.status, told.code), (Some(400), 3), "{told:?}");
}

#[tokio::test]
async fn who_may_not_is_told_why() {
    let mut stack = Stack::bare().await;
    let (api, grpc) = api(&mut stack, &[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let fields = json!({ "scopes": ["a"] });
    let valid = operator.issue(&account, fields).await;
    let ended = operator.issue(&account, json!({})).await;
    assert!(bearer(grpc, text(&ended, "token"), &[]).await.passes);
    operator.delete(&path_of(&ended)).await.expect(200);
    let (valid, ended) = (text(&valid, "token"), text(&ended, "token"));
    let unissued = unissued();
    let none: &[(&str, &str)] = &[];
    for (token, context, status, code, tollkeeper) in [
        (ended, none, 401, 16, "REVOKED"),
        (&*unissued, none, 401, 16, "NOT_FOUND"),
        ("tk_live_nonsense", none, 401, 16, "MALFORMED"),
        (valid, &[("env", "test")], 401, 16, "WRONG_ENVIRONMENT"),
        (valid, &[("scope", "a b")], 403, 7, "INSUFFICIENT_SCOPE"),
        // What is demanded cannot be understood: nobody may pass.
        (valid, &[("scope", "A")], 400, 3, "INVALID_QUERY"),
        (valid, &[("scope", " ")], 400, 3, "INVALID_QUERY"),
        (valid, &[("env", "prod")], 400, 3, "INVALID_QUERY"),
        (valid, &[("color", "red")], 400, 3, "INVALID_QUERY"),
    ] {
        let told = bearer(grpc, token, context).await;
        assert!(!told.passes, "{context:?}: {told:?}");
        assert_eq!((told.status, told.code), (Some(status), code), "{told:?}");
        let body: Value = serde_json::from_str(&told.body).unwrap();
        assert_eq!(body["code"], tollkeeper);
        assert_eq!(
            told.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(told.header("x-request-id"), body["request_id"].as_str());
        assert_eq!(told.header("content-length"), None);
        if status != 400 {
            assert_eq!(told.header("x-tollkeeper-code"), Some(tollkeeper));
            let challenge = told.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("Bearer realm="), "{challenge}");
        }
    }
    for headers in [
        none,
        &[("authorization", "Basic YTpi")],
        &[("x-tollkeeper-token-id", "forged")],
        // Envoy writes a header that comes twice as one.
        &[("x-api-key", &format!("{valid},{valid}"))],
    ] {
        let told = asked(grpc, headers, &[]).await;
        assert_eq!(told.status, Some(401), "{told:?}");
    }
    let told = asked(grpc, &[("x-request-id", "r-1")], &[]).await;
    assert_eq!(told.header("x-request-id"), Some("r-1"));
    let printed = api.log_text();
    assert!(!printed.contains(valid) && !printed.contains(ended));
}

#[tokio::test]
async fn what_is_no_question_is_an_error_of_the_call() {
    let mut stack = Stack::bare().await;
    let (_api, grpc) = api(&mut stack, &[]).await;
    const INVALID: u16 = 3;
    for (message, status, why) in [
        (vec![], INVALID, "attributes"),
        (field(1, []), INVALID, "attributes.request.http"),
        (field(1, field(4, [])), INVALID, "attributes.request.http"),
        (vec![0xff; 40], INVALID, "CheckRequest"),
        (field(1, [0x0a, 0x7f]), INVALID, "CheckRequest"),
        (vec![0; 200_000], 11, "too%20large"),
    ] {
        let answered = send(&connection(), grpc, CHECK, framed(&message)).await;
        assert_eq!(answered.status, status, "{answered:?}");
        assert!(answered.why.contains(why), "{answered:?}");
    }
    let bad_header = Asked {
        method: "GET",
        path: "/",
        source: "",
        headers: &[("authorization", "Bearer\r\na")],
        context: &[],
    };
    let answered = send(&connection(), grpc, CHECK, framed(&bad_header.message())).await;
    assert_eq!(answered.status, INVALID, "{answered:?}");
    let other = "/envoy.service.auth.v2.Authorization/Check";
    let answered = send(&connection(), grpc, other, framed(&[])).await;
    assert_eq!(answered.status, 12, "{answered:?}");
    // HTTP/1 is not spoken here: the connection ends, in whatever way.
    let mut stream = TcpStream::connect(grpc).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ended = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1"), "{answer:?}");
}

#[tokio::test]
async fn every_request_of_a_known_token_is_counted_as_it_was() {
    let mut stack = Stack::bare().await;
    let (api, grpc) = api(&mut stack, &[]).await;
    let trusted = [("TOLLKEEPER_TRUSTED_PROXIES", "198.51.100.0/24")];
    let (_far, untrusted) = self::api(&mut stack, &trusted).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let authorization = format!("Bearer {}", text(&token, "token"));
    let headers = [
        ("authorization", authorization.as_str()),
        ("user-agent", "curl"),
        ("x-forwarded-for", "192.0.2.66, 203.0.113.9"),
        ("x-forwarded-uri", "/forged"),
        ("x-original-uri", "/forged"),
        ("x-forwarded-method", "TRACE"),
    ];
    let asked = Asked {
        method: "POST",
        path: "/orders/17?page=2&scope=b",
        source: "203.0.113.9",
        headers: &headers,
        context: &[],
    };
    assert!(ask(grpc, asked).await.passes);
    // Behind a proxy of ours, what that one has written counts.
    let source = "127.0.0.1";
    assert!(ask(grpc, Asked { source, ..asked }).await.passes);
    // The sender itself cannot write where it comes from.
    let source = "198.51.100.7";
    assert!(ask(grpc, Asked { source, ..asked }).await.passes);
    let context = &[("scope", "b")];
    assert!(!ask(grpc, Asked { context, ..asked }).await.passes);
    // Nor is a stranger believed who calls itself Envoy.
    assert!(ask(untrusted, asked).await.passes);

    let id: Uuid = text(&token, "id").parse().unwrap();
    let rows = async || {
        sqlx::query_as::<_, (String, String, i16, String, String)>(
            "select method, endpoint, status, host(ip), user_agent
            from api_token_usage where token_id = $1 order by status, host(ip)",
        )
        .bind(id)
        .fetch_all(&stack.database.pool)
        .await
        .unwrap()
    };
    wait_for("the requests to be counted", async || {
        rows().await.len() >= 5
    })
    .await;
    let row = |status, ip: &str| {
        let [method, endpoint, agent] = ["POST", "/orders/17", "curl"].map(str::to_owned);
        (method, endpoint, status, ip.to_owned(), agent)
    };
    let expected = [
        row(200, "127.0.0.1"),
        row(200, "198.51.100.7"),
        row(200, "203.0.113.9"),
        row(200, "203.0.113.9"),
        row(403, "203.0.113.9"),
    ];
    assert_eq!(rows().await, expected);
}

#[tokio::test]
async fn a_bound_token_passes_from_its_networks_alone() {
    let mut stack = Stack::bare().await;
    let (api, grpc) = api(&mut stack, &[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let fields = json!({ "allowed_cidrs": ["203.0.113.0/24"] });
    let token = operator.issue(&account, fields).await;
    let authorization = format!("Bearer {}", text(&token, "token"));
    // What the sender writes of its way is not believed.
    let headers = [
        ("authorization", authorization.as_str()),
        ("x-forwarded-for", "203.0.113.9"),
    ];
    let asked = Asked {
        method: "GET",
        path: "/",
        source: "203.0.113.9",
        headers: &headers,
        context: &[],
    };
    assert!(ask(grpc, asked).await.passes);
    let source = "198.51.100.7";
    let told = ask(grpc, Asked { source, ..asked }).await;
    assert_eq!((told.status, told.code), (Some(403), 7), "{told:?}");
    assert_eq!(told.header("x-tollkeeper-code"), Some("IP_NOT_ALLOWED"));
}

#[tokio::test]
async fn nobody_passes_while_nothing_can_be_known() {
    let mut stack = Stack::bare().await;
    let proxy = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(proxy.address());
    let (api, grpc) = api(&mut stack, &[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    proxy.cut();
    let told = bearer(grpc, text(&token, "token"), &[]).await;
    // An answer, and not an error of the call, by which Envoy could be told to let it pass.
    assert!(!told.passes, "{told:?}");
    assert_eq!((told.status, told.code), (Some(503), 14));
    assert_eq!(told.header("x-tollkeeper-code"), Some("UNAVAILABLE"));
    assert!(told.header("retry-after").is_some());
    proxy.resume();
    wait_for("the token to be known", async || {
        bearer(grpc, text(&token, "token"), &[]).await.passes
    })
    .await;
}

#[tokio::test]
async fn calls_under_way_are_answered_before_the_end() {
    let mut stack = Stack::bare().await;
    let (mut api, grpc) = api(&mut stack, &[]).await;
    // Who says nothing does not keep the API from ending.
    let _silent = TcpStream::connect(grpc).await.unwrap();
    let nobody = Asked {
        method: "GET",
        path: "/",
        source: "",
        headers: &[],
        context: &[],
    };
    let message = framed(&nobody.message());
    let connection = connection();
    let told = send(&connection, grpc, CHECK, message.clone()).await.told();
    assert_eq!(told.status, Some(401));

    let (go_on, going_on) = oneshot::channel();
    let begin = stream::once(ready(message.slice(..7)));
    let end = stream::once(async move {
        let () = going_on.await.unwrap();
        message.slice(7..)
    });
    let under_way = Body::from_stream(begin.chain(end).map(Ok::<_, Infallible>));
    let readyz = format!("http://{}/readyz", api.internal);
    let client = tollkeeper_testkit::http_client();
    let (ended, told, ()) = tokio::join!(
        api.stop(),
        async { send(&connection, grpc, CHECK, under_way).await.told() },
        async {
            wait_for("the API to be stopping", async || {
                let answer = Person::try_send(client.get(&readyz)).await;
                answer.is_some_and(|it| it.json()["stopping"] == true)
            })
            .await;
            wait_for("the door to close", async || {
                TcpStream::connect(grpc).await.is_err()
            })
            .await;
            go_on.send(()).unwrap();
        }
    );
    assert_eq!(told.status, Some(401));
    assert_eq!(ended.code(), Some(0), "{}", api.log_text());
}
