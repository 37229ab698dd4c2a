//! Clients that mean harm, or are broken. Whatever they do, those who ask properly are answered.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{Stack, wait_for};

use crate::raw::head;
use crate::support::{forward_auth, text, unissued, verify};

/// A token that the node knows.
async fn warm(api: &Node) -> String {
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    let secret = text(&token, "token").to_owned();
    assert_eq!(forward_auth(api, &secret, "").await.status, 200);
    secret
}

/// The token passes, from memory, and management goes on.
async fn goes_on(api: &Node, token: &str) {
    assert_eq!(forward_auth(api, token, "").await.status, 200);
    assert_eq!(verify(&api.operator(), token).await["cache"], "hit");
    api.operator().get("/v1/tokens").await.expect(200);
    assert_eq!(api.about_itself("/readyz").await.status, 200);
}

async fn metric(api: &Node, name: &str) -> u64 {
    let metrics = api.about_itself("/metrics").await.text;
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {name}:\n{metrics}"))
}

fn question(token: &str) -> String {
    format!("GET /v1/forward-auth HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n")
}

/// Asks for these tokens in turn over one connection; gives the statuses.
async fn ask_in_turn(api: &Node, tokens: Vec<String>) -> Vec<u16> {
    let mut stream = TcpStream::connect(api.public).await.unwrap();
    let mut statuses = Vec::with_capacity(tokens.len());
    for token in tokens {
        stream.write_all(question(&token).as_bytes()).await.unwrap();
        let head = head(&mut stream).await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>())
        });
        let mut body = vec![0; length.map_or(0, Result::unwrap)];
        stream.read_exact(&mut body).await.unwrap();
        statuses.push(status);
    }
    statuses
}

#[tokio::test]
async fn made_up_tokens_push_out_no_good_one_and_malformed_ones_are_not_looked_up() {
    const CLIENTS: usize = 16;
    const EACH: usize = 100;
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let token = warm(&api).await;

    let malformed: Vec<String> = (0..EACH)
        .map(|number| format!("{}{number}", &token[..token.len() - 8]))
        .collect();
    let before = metric(
        &api,
        "tollkeeper_verification_checks_total{source=\"malformed\"}",
    )
    .await;
    assert_eq!(ask_in_turn(&api, malformed).await, [401; EACH]);
    wait_for("the checks to be told", async || {
        metric(
            &api,
            "tollkeeper_verification_checks_total{source=\"malformed\"}",
        )
        .await
            == before + EACH as u64
    })
    .await;
    // The good one alone was: twice, where the news of its issue came while it was read.
    let lookups = metric(&api, "tollkeeper_verification_lookups_total").await;
    assert!((1..=2).contains(&lookups), "{lookups}");

    let floods = (0..CLIENTS).map(|_| {
        let made_up = (0..EACH).map(|_| unissued()).collect();
        ask_in_turn(&api, made_up)
    });
    let (floods, ()) = tokio::join!(futures::future::join_all(floods), async {
        for _ in 0..10 {
            goes_on(&api, &token).await;
        }
    });
    // A machine that is slow cannot know in time, and says so.
    assert!(
        floods
            .iter()
            .flatten()
            .all(|status| [401, 503].contains(status))
    );
    goes_on(&api, &token).await;
    assert_eq!(ask_in_turn(&api, vec![unissued(), token]).await, [401, 200]);
}

#[tokio::test]
async fn bombs_of_headers_are_refused() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let token = warm(&api).await;
    let many: String = (0..500)
        .map(|number| format!("X-{number}: a\r\n"))
        .collect();
    let huge = format!("X-Huge: {}\r\n", "x".repeat(1 << 20));
    let long_path = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(1 << 20));
    for bomb in [
        format!("GET /v1/forward-auth HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
        format!("GET /v1/forward-auth HTTP/1.1\r\nHost: a\r\n{huge}\r\n"),
        long_path,
    ] {
        let answer = until_refused(&api, bomb.as_bytes(), 1).await;
        let status = answer.split(' ').nth(1).map(str::to_owned);
        // Who is still sending when the connection is closed may miss the answer.
        assert!(
            status
                .as_deref()
                .is_none_or(|it| ["431", "414"].contains(&it)),
            "{answer}"
        );
    }
    // One that never ends: the server closes it, however long the client goes on.
    let start = "GET /v1/forward-auth HTTP/1.1\r\nHost: a\r\nX-Endless: ";
    let mut endless = start.to_owned();
    endless.push_str(&"x".repeat(1 << 16));
    until_refused(&api, endless.as_bytes(), usize::MAX).await;
    goes_on(&api, &token).await;
}

/// Sends the bytes up to so many times, as long as the server takes them, and gives what it
/// answered before it closed the connection.
async fn until_refused(api: &Node, bytes: &[u8], times: usize) -> String {
    let stream = TcpStream::connect(api.public).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let sending = async {
        for _ in 0..times {
            if writing.write_all(bytes).await.is_err() {
                break;
            }
        }
        // Nothing more comes, and the connection stays open.
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = sending => {}
        // An end or a reset, both are a refusal.
        _end = reading.read_to_end(&mut answer) => {}
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn slow_clients_are_let_go_and_nobody_waits_for_them() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let token = warm(&api).await;
    let key = tollkeeper_testkit::stack::OPERATOR_KEY;
    let half_a_body = format!(
        "POST /v1/verify HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"
    );
    let mut slow = Vec::new();
    for start in ["", "GET /v1/forward-auth HT", half_a_body.as_str()] {
        for _ in 0..100 {
            let mut stream = TcpStream::connect(api.public).await.unwrap();
            stream.write_all(start.as_bytes()).await.unwrap();
            slow.push((start, stream));
        }
    }
    let deaf = never_reading(&api, &token).await;
    goes_on(&api, &token).await;

    for (start, mut stream) in slow {
        let mut answer = Vec::new();
        // It trickles on, which does not help it.
        if start.starts_with("GET") {
            let _sent = stream.write_all(b"T").await;
        }
        let _end = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        if start.starts_with("POST") {
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        } else {
            assert_eq!(answer, "");
        }
    }
    goes_on(&api, &token).await;
    drop(deaf);
}

/// Clients that send requests for as long as the server takes them and never read an answer.
async fn never_reading(api: &Node, token: &str) -> Vec<TcpStream> {
    let questions = &question(token).repeat(100);
    let clients = (0..20).map(|_| async {
        let mut stream = TcpStream::connect(api.public).await.unwrap();
        // The server takes no more once its answers are not taken: then the client does nothing.
        let send = async { while stream.write_all(questions.as_bytes()).await.is_ok() {} };
        let _full = tokio::time::timeout(Duration::from_millis(500), send).await;
        stream
    });
    futures::future::join_all(clients).await
}

#[tokio::test]
async fn ten_thousand_idle_connections_leave_it_answering() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let token = warm(&api).await;
    // As many as this process may have beside what it has open, where that is fewer.
    let most = tollkeeper_testkit::most_open_files()
        .saturating_sub(1000)
        .min(10_000);
    assert!(most >= 1000, "this machine allows {most} connections");
    let mut idle = Vec::with_capacity(most);
    for number in 0..most {
        idle.push(TcpStream::connect(api.public).await.unwrap());
        if number % 1000 == 0 {
            goes_on(&api, &token).await;
        }
    }
    // Where opening them takes long, the first ones have been silent for too long already.
    wait_for("them to be accepted", async || {
        metric(&api, "tollkeeper_http_connections ").await >= most as u64 / 2
    })
    .await;
    goes_on(&api, &token).await;
    drop(idle);
}

#[tokio::test]
async fn where_places_are_few_the_idle_make_room() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[("TOLLKEEPER_MAX_CONNECTIONS", "16")]).await;
    let token = warm(&api).await;
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(TcpStream::connect(api.public).await.unwrap());
    }
    // It waits for a place, and gets one.
    assert_eq!(ask_in_turn(&api, vec![token.clone()]).await, [200]);
    let mut first = idle.remove(0);
    assert_eq!(first.read(&mut [0]).await.unwrap(), 0, "it was let go");
}
