//! The example service as its page tells of it, run as a program of its own: what clients were
//! answered is what was counted.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::process::{Child, Command};

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tollkeeper_embedded::ports;
use tollkeeper_testkit::stack::Person;
use tollkeeper_testkit::{Stack, binary, http_client, wait_for};

const ROUNDS: usize = 50;

/// The program, which is killed should the test fail.
struct Orders(Child);

impl Drop for Orders {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Calls by token, method, path, status and verdict.
type Calls = BTreeMap<(String, String, String, i16, i16), i64>;

#[tokio::test(flavor = "multi_thread")]
async fn the_example_counts_what_it_answered_by_postgres() {
    the_example_counts_what_it_answered(false, Signal::TERM).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_counts_what_it_answered_by_the_api() {
    the_example_counts_what_it_answered(true, Signal::INT).await;
}

async fn the_example_counts_what_it_answered(by_the_api: bool, end: Signal) {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let source = if by_the_api {
        let system = json!({ "role": "system" });
        let system = operator.post("/v1/accounts", system).await.expect(201);
        let fields = json!({ "scopes": ["tollkeeper:verify"] });
        let (_, token) = issue(&operator, system["id"].as_str().unwrap(), fields).await;
        let url = format!("http://{}", api.public);
        vec![("TOLLKEEPER_URL", url), ("ORDERS_API_TOKEN", token)]
    } else {
        vec![(
            "TOLLKEEPER_DATABASE_URL",
            stack.database.url_of("tollkeeper_gate"),
        )]
    };
    let folder = tempfile::tempdir().unwrap();
    let at = format!("127.0.0.1:{}", ports::free().unwrap());
    let program = Command::new(binary("examples/orders"))
        .env_clear()
        .envs(source)
        .env("TOLLKEEPER_NATS_URL", stack.nats.url())
        .env("ORDERS_SPOOL", folder.path().join("spool"))
        .env("ORDERS_LISTEN", &at)
        .spawn()
        .unwrap();
    let mut program = Orders(program);
    let client = http_client();
    wait_for("the service", async || {
        let asked = client.get(format!("http://{at}/livez")).send().await;
        asked.is_ok_and(|answer| answer.status() == 200)
    })
    .await;

    let account = operator.account("shop").await;
    let reader = issue(&operator, &account, json!({ "scopes": ["orders:read"] })).await;
    let writer = issue(&operator, &account, json!({ "scopes": ["orders:*"] })).await;
    let short = issue(&operator, &account, json!({ "scopes": ["orders:*"] })).await;
    let first = issue(&operator, &account, json!({ "scopes": ["orders:read"] })).await;
    wait_for("the first proof", async || {
        let asked = client
            .get(format!("http://{at}/orders"))
            .bearer_auth(&first.1);
        asked.send().await.unwrap().status() == 200
    })
    .await;

    let mut answered = Calls::new();
    // Until the proof nobody knew whose the token was, and then it passed.
    let call = (first.0, "GET".to_owned(), "/orders".to_owned(), 200, 0);
    answered.insert(call, 1);
    for round in 0..ROUNDS {
        if round == ROUNDS / 2 {
            let path = format!("/v1/tokens/{}?wait=applied", short.0);
            let _ = operator.delete(&path).await.expect(200);
        }
        let gone = round >= ROUNDS / 2;
        for (token, method, path, order, status, verdict) in [
            (&reader, Method::GET, "/orders", None, 200, 0),
            (&reader, Method::GET, "/orders/17", None, 200, 0),
            (&reader, Method::GET, "/orders/18", None, 404, 0),
            (&reader, Method::POST, "/orders", Some("[17]"), 403, 10),
            (&writer, Method::POST, "/orders", Some("[17]"), 201, 0),
            (&writer, Method::POST, "/orders", Some("[]"), 422, 0),
            (
                &short,
                Method::GET,
                "/orders",
                None,
                if gone { 401 } else { 200 },
                if gone { 3 } else { 0 },
            ),
        ] {
            let mut request = client
                .request(method.clone(), format!("http://{at}{path}"))
                .bearer_auth(&token.1);
            if let Some(order) = order {
                request = request
                    .header("Content-Type", "application/json")
                    .body(order);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), status, "{method} {path}");
            let call = (
                token.0.clone(),
                method.to_string(),
                path.to_owned(),
                status as i16,
                verdict,
            );
            *answered.entry(call).or_default() += 1;
        }
    }
    // Without a token nobody passes, and nobody is counted.
    let refused = client
        .get(format!("http://{at}/orders"))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 401);

    // Asked to end, it sends what is left.
    let pid = i32::try_from(program.0.id()).ok().and_then(Pid::from_raw);
    kill_process(pid.unwrap(), end).unwrap();
    let ended = tokio::task::spawn_blocking(move || program.0.wait())
        .await
        .unwrap();
    assert!(ended.unwrap().success());
    let sent: i64 = answered.values().sum();
    let counted = async || -> Calls {
        let rows: Vec<(String, String, String, i16, i16, i64)> = sqlx::query_as(
            "select token_id::text, method, endpoint, status, verdict, count(*)
            from api_token_usage group by 1, 2, 3, 4, 5",
        )
        .fetch_all(&stack.database.pool)
        .await
        .unwrap();
        rows.into_iter()
            .map(|(id, method, path, status, verdict, n)| ((id, method, path, status, verdict), n))
            .collect()
    };
    wait_for("everything to be counted", async || {
        counted().await.values().sum::<i64>() >= sent
    })
    .await;
    assert_eq!(counted().await, answered);
}

async fn issue(operator: &Person, account: &str, fields: serde_json::Value) -> (String, String) {
    let issued = operator.issue(account, fields).await;
    let text = |name: &str| issued[name].as_str().unwrap().to_owned();
    (text("id"), text("token"))
}
