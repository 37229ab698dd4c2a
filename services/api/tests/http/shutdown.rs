//! An end that cuts nobody off.

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tollkeeper_testkit::stack::{OPERATOR_KEY, Person};
use tollkeeper_testkit::{Stack, wait_for};

use crate::raw::{head, rest};

#[tokio::test]
async fn requests_under_way_are_answered_before_the_end() {
    let mut stack = Stack::bare().await;
    let mut api = stack.api(&[]).await;
    let body = json!({ "external_id": "at the last moment" }).to_string();
    let request = format!(
        "POST /v1/accounts HTTP/1.1\r\nHost: a\r\nX-API-Key: {OPERATOR_KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        body.len()
    );
    let mut under_way = TcpStream::connect(api.public).await.unwrap();
    under_way.write_all(request.as_bytes()).await.unwrap();
    // The server asks for the body when the handler reads it.
    let asked = head(&mut under_way).await;
    assert!(asked.starts_with("HTTP/1.1 100 "), "{asked}");

    let client = tollkeeper_testkit::http_client();
    let readyz = format!("http://{}/readyz", api.internal);
    let public = api.public;
    let (ended, answer) = tokio::join!(api.stop(), async {
        wait_for("the API to be stopping", async || {
            let answer = Person::try_send(client.get(&readyz)).await;
            answer.is_some_and(|it| it.status == 503 && it.json()["stopping"] == true)
        })
        .await;
        wait_for("the door to close", async || {
            TcpStream::connect(public).await.is_err()
        })
        .await;
        under_way.write_all(body.as_bytes()).await.unwrap();
        rest(&mut under_way).await
    });
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(answer.contains("at the last moment"), "{answer}");
    assert_eq!(ended.code(), Some(0), "{}", api.log_text());

    api.restart();
    api.ready().await;
    let found = api.operator().get("/v1/accounts").await.expect(200);
    assert_eq!(found["items"][0]["external_id"], "at the last moment");
}

#[tokio::test]
async fn a_client_that_never_finishes_does_not_keep_the_api_from_ending_well() {
    let mut stack = Stack::bare().await;
    let mut api = stack.api(&[]).await;
    let _silent = TcpStream::connect(api.public).await.unwrap();
    let mut half = TcpStream::connect(api.public).await.unwrap();
    half.write_all(b"GET /v1/tok").await.unwrap();
    // Connections are taken in order, so by this answer both are.
    api.operator().get("/v1/tokens").await.expect(200);
    let ended = api.stop().await;
    assert_eq!(ended.code(), Some(0), "{}", api.log_text());
}
