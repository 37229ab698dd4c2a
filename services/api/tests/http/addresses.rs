//! Tokens that are bound to networks: where they pass, and who judges the address.

use std::net::{Ipv6Addr, SocketAddr, TcpListener};

use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Answer, Node, Person};
use tollkeeper_testkit::{Stack, wait_for};

use crate::raw::exchange;
use crate::support::{path_of, problem, text, unsigned_problem, verify, with_header};

pub(crate) const HOME: &str = "203.0.113.0/24";

pub(crate) const AT_HOME: &str = "203.0.113.9";

pub(crate) const AWAY: &str = "198.51.100.7";

/// A request through trusted proxies, which tell of these hops.
pub(crate) async fn from(person: &Person, hops: &str, method: Method, path: &str) -> Answer {
    with_header(person, method, path, ("x-forwarded-for", hops), None).await
}

pub(crate) async fn checked(api: &Node, token: &str, hops: &str) -> Answer {
    from(&api.bearer(token), hops, Method::GET, "/v1/forward-auth").await
}

#[track_caller]
pub(crate) fn refused(answer: &Answer) {
    unsigned_problem(answer, 403, "IP_NOT_ALLOWED");
    assert_eq!(answer.header("x-tollkeeper-code"), Some("IP_NOT_ALLOWED"));
    assert_eq!(answer.header("x-tollkeeper-token-id"), None);
}

#[track_caller]
pub(crate) fn beyond_networks(answer: &Answer) {
    let body = problem(answer, 403, "BEYOND_AUTHORITY");
    assert!(text(&body, "detail").contains("networks"), "{body}");
}

pub(crate) async fn bound(operator: &Person, account: &str, networks: &[&str]) -> (String, Value) {
    let fields = json!({ "allowed_cidrs": networks, "scopes": ["a"] });
    let token = operator.issue(account, fields).await;
    (text(&token, "token").to_owned(), token)
}

#[tokio::test]
async fn a_proxys_client_passes_from_its_networks_and_from_nowhere_else() {
    let mut stack = Stack::bare().await;
    let trusted = "127.0.0.0/8,10.0.0.0/8,2001:db8:ffff::/48";
    let api = stack.api(&[("TOLLKEEPER_TRUSTED_PROXIES", trusted)]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let (token, issued) = bound(&operator, &account, &[HOME, "2001:db8:1::/48"]).await;

    let good = [
        AT_HOME,
        "203.0.113.9:51234",
        "::ffff:203.0.113.9",
        "2001:DB8:1::7",
        "[2001:db8:1::7]:443",
        // Several proxies, each of which has added who asked it.
        "203.0.113.9, 10.0.0.2",
        "198.51.100.7, 203.0.113.9, 10.0.0.2, 2001:db8:ffff::1",
    ];
    let bad = [
        AWAY,
        "::ffff:198.51.100.7",
        "2001:db8:2::7",
        // What a client writes itself stands left of its address.
        "203.0.113.9, 198.51.100.7",
        "203.0.113.9, 198.51.100.7, 10.0.0.2",
        "unknown",
        "203.0.113.9, unknown, 10.0.0.2",
        // Nobody else was there: these are the proxies themselves.
        "10.0.0.2",
        "",
    ];
    for hops in good {
        checked(&api, &token, hops).await.expect(200);
    }
    for hops in bad {
        refused(&checked(&api, &token, hops).await);
    }
    // A proxy that tells nothing readable of who asked it is not the client, wherever it stands.
    let (internal, _) = bound(&operator, &account, &["127.0.0.0/8", "10.0.0.0/8"]).await;
    checked(&api, &internal, "10.0.0.2").await.expect(200);
    for hops in ["unknown", "203.0.113.9, unknown, 10.0.0.2"] {
        refused(&checked(&api, &internal, hops).await);
    }
    // The address is judged after the environment and before the scopes.
    let asked = async |query: &str| {
        let path = format!("/v1/forward-auth{query}");
        from(&api.bearer(&token), AWAY, Method::GET, &path).await
    };
    unsigned_problem(&asked("?env=test&scope=b").await, 401, "WRONG_ENVIRONMENT");
    refused(&asked("?scope=b").await);

    // Refused requests are requests of the token, too; only the others count as its last use.
    let calls = good.len() + bad.len() + 2;
    wait_for("all requests to be counted", async || {
        let read = operator.get(&path_of(&issued)).await.expect(200);
        read["usage_count"] == calls
    })
    .await;
    let id: uuid::Uuid = text(&issued, "id").parse().unwrap();
    let (refusals, addresses): (i64, i64) = sqlx::query_as(
        "select count(*), count(distinct ip) from api_token_usage
        where token_id = $1 and status = 403",
    )
    .bind(id)
    .fetch_one(&stack.database.pool)
    .await
    .unwrap();
    assert_eq!(refusals, bad.len() as i64 + 1);
    assert!(addresses > 1);
}

#[tokio::test]
async fn nobody_but_a_trusted_proxy_tells_where_somebody_else_is() {
    let mut stack = Stack::bare().await;
    let settings = [("TOLLKEEPER_TRUSTED_PROXIES", "198.51.100.0/24")];
    let api = stack.api(&settings).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let (elsewhere, _) = bound(&operator, &account, &[HOME]).await;
    let (here, _) = bound(&operator, &account, &["127.0.0.1"]).await;
    for hops in [AT_HOME, "203.0.113.9, 198.51.100.1"] {
        refused(&checked(&api, &elsewhere, hops).await);
        checked(&api, &here, hops).await.expect(200);
    }
    let person = api.bearer(&elsewhere);
    let answer = from(&person, AT_HOME, Method::GET, "/v1/whoami").await;
    problem(&answer, 403, "IP_NOT_ALLOWED");
    api.bearer(&here).get("/v1/whoami").await.expect(200);
}

/// The status of a check over a connection to this address.
async fn over(at: SocketAddr, path: &str, token: &str) -> String {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: {token}\r\n\r\n"
    );
    let answer = exchange(at, request.as_bytes()).await;
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn both_kinds_of_addresses_are_told_apart_on_one_listener() {
    let Ok(free) = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)) else {
        // A machine without IPv6 has no such listener.
        return;
    };
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut stack = Stack::bare().await;
    let listen = format!("[::]:{port}");
    let api = stack.api(&[("TOLLKEEPER_LISTEN", &listen)]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let (four, _) = bound(&operator, &account, &["127.0.0.0/8"]).await;
    let (mapped, _) = bound(&operator, &account, &["::ffff:127.0.0.1"]).await;
    let (six, _) = bound(&operator, &account, &["::1"]).await;
    let (all_six, _) = bound(&operator, &account, &["::/0"]).await;
    let by_four: SocketAddr = ([127, 0, 0, 1], port).into();
    let by_six: SocketAddr = (Ipv6Addr::LOCALHOST, port).into();
    for path in ["/v1/forward-auth", "/v1/whoami"] {
        for (token, from_four, from_six) in [
            (&four, "200", "403"),
            (&mapped, "200", "403"),
            (&six, "403", "200"),
            (&all_six, "403", "200"),
        ] {
            assert_eq!(over(by_four, path, token).await, from_four, "{path}");
            assert_eq!(over(by_six, path, token).await, from_six, "{path}");
        }
    }
}

#[tokio::test]
async fn a_program_that_asks_says_where_the_request_came_from() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let (token, _) = bound(&operator, &account, &[HOME, "::1"]).await;
    let free = operator.issue(&account, json!({})).await;
    let free = text(&free, "token");
    for (ip, code) in [
        (json!(AT_HOME), "VALID"),
        (json!("::ffff:203.0.113.9"), "VALID"),
        (json!("::1"), "VALID"),
        (json!(AWAY), "IP_NOT_ALLOWED"),
        (json!("2001:db8::1"), "IP_NOT_ALLOWED"),
        // Who is not told cannot know, and lets nobody in.
        (Value::Null, "IP_NOT_ALLOWED"),
    ] {
        let told = async |token: &str| {
            let question = json!({ "token": token, "ip": ip });
            operator.post("/v1/verify", question).await.expect(200)
        };
        let answer = told(&token).await;
        assert_eq!(answer["code"], code, "{ip}");
        assert_eq!(answer["valid"], code == "VALID", "{ip}");
        assert_eq!(answer["account_id"], json!(account), "{ip}");
        assert_eq!(told(free).await["code"], "VALID", "{ip}");
    }
    assert_eq!(verify(&operator, &token).await["code"], "IP_NOT_ALLOWED");
}

#[tokio::test]
async fn a_server_that_introspects_judges_the_address_itself() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let (token, _) = bound(&operator, &account, &[HOME, "::1"]).await;
    let free = operator.issue(&account, json!({})).await;
    let told = async |token: &str| {
        let request = operator
            .request(Method::POST, "/oauth/introspect")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("token={token}"));
        Person::send(request).await.expect(200)
    };
    let described = told(&token).await;
    assert_eq!(described["active"], true);
    assert_eq!(described["allowed_cidrs"], json!([HOME, "::1/128"]));
    let described = told(text(&free, "token")).await;
    assert_eq!(described["active"], true);
    assert_eq!(described.get("allowed_cidrs"), None);
}
