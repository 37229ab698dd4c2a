//! Metrics that count what was asked and done.

use serde_json::json;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{Stack, wait_for};

use super::scrape::Scrape;
use crate::support::{forward_auth, path_of, text, unissued, verified_as, verify};

const VERDICTS: &str = "tollkeeper_verifications_total";
const REQUESTS: &str = "tollkeeper_http_requests_total";
const SECONDS: &str = "tollkeeper_http_request_seconds_count";

fn of(scrape: &Scrape, method: &str, route: &str, status: &str) -> f64 {
    let labels = [("method", method), ("route", route), ("status", status)];
    scrape.value(REQUESTS, &labels)
}

#[tokio::test]
async fn verdicts_are_counted_by_the_code_that_was_told() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator
        .issue(&account, json!({ "scopes": ["orders:read"] }))
        .await;
    let secret = text(&token, "token");
    for (query, status) in [("", 200), ("", 200), ("?scope=orders:write", 403)] {
        forward_auth(&api, secret, query).await.expect(status);
    }
    forward_auth(&api, &unissued(), "").await.expect(401);
    // Nobody said whose request it is: there is nothing to judge.
    api.nobody().get("/v1/forward-auth").await.expect(401);
    verify(&operator, secret).await;
    verify(&operator, "junk").await;
    let items = json!({ "items": [{ "token": secret }, { "token": unissued() }] });
    operator.post("/v1/verify/batch", items).await.expect(200);
    operator.delete(&path_of(&token)).await.expect(200);
    verified_as(&operator, secret, "REVOKED").await;

    let shown = Scrape::of(&api).await;
    for (code, count) in [
        ("VALID", 4.0),
        ("INSUFFICIENT_SCOPE", 1.0),
        ("NOT_FOUND", 2.0),
        ("MALFORMED", 1.0),
        ("SUSPENDED", 0.0),
    ] {
        assert_eq!(shown.value(VERDICTS, &[("code", code)]), count, "{code}");
    }
    assert!(shown.value(VERDICTS, &[("code", "REVOKED")]) >= 1.0);
    let all = shown.sum(VERDICTS);
    assert_eq!(
        shown.value("tollkeeper_verification_seconds_count", &[]),
        all
    );
    let le = [("le", "+Inf")];
    assert_eq!(
        shown.value("tollkeeper_verification_seconds_bucket", &le),
        all
    );
    assert!(shown.value("tollkeeper_verification_seconds_sum", &[]) > 0.0);
    // Told now and then.
    wait_for("the known token", async || {
        let shown = Scrape::of(&api).await;
        shown.value("tollkeeper_verification_cache_entries", &[]) == 1.0
    })
    .await;
}

#[tokio::test]
async fn requests_are_counted_by_route_and_status() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let (operator, nobody) = (api.operator(), api.nobody());
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    for _ in 0..3 {
        let path = "/orders/7?from=original";
        forward_auth(&api, text(&token, "token"), path)
            .await
            .expect(200);
    }
    forward_auth(&api, "junk", "").await.expect(401);
    operator.get(&path_of(&token)).await.expect(200);
    nobody.get(&path_of(&token)).await.expect(401);
    let head = operator.request(reqwest::Method::HEAD, &path_of(&token));
    assert_eq!(head.send().await.unwrap().status(), 200);

    let shown = Scrape::of(&api).await;
    assert_eq!(of(&shown, "POST", "/v1/accounts", "2xx"), 1.0);
    assert_eq!(of(&shown, "POST", "/v1/tokens", "2xx"), 1.0);
    assert_eq!(of(&shown, "any", "/v1/forward-auth", "2xx"), 3.0);
    assert_eq!(of(&shown, "any", "/v1/forward-auth", "4xx"), 1.0);
    assert_eq!(of(&shown, "GET", "/v1/tokens/{id}", "2xx"), 2.0);
    assert_eq!(of(&shown, "GET", "/v1/tokens/{id}", "4xx"), 1.0);
    assert_eq!(shown.sum(REQUESTS), shown.sum(SECONDS));
    let route = [("route", "/v1/tokens/{id}")];
    assert_eq!(shown.value(SECONDS, &route), 3.0);
    assert!(shown.value("tollkeeper_http_connections", &[]) >= 1.0);
}

#[tokio::test]
async fn connections_are_told_while_they_are_open() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[("TOLLKEEPER_MAX_CONNECTIONS", "50")]).await;
    let open = async || {
        let shown = Scrape::of(&api).await;
        shown.value("tollkeeper_http_connections", &[])
    };
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(tokio::net::TcpStream::connect(api.public).await.unwrap());
    }
    wait_for("five connections", async || open().await == 5.0).await;
    clients.truncate(2);
    wait_for("two connections", async || open().await == 2.0).await;
    let shown = Scrape::of(&api).await;
    assert_eq!(shown.value("tollkeeper_http_connections_max", &[]), 50.0);
}

#[tokio::test]
async fn events_are_counted_where_they_are_committed_and_relayed() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    operator.delete(&path_of(&token)).await.expect(200);
    let shown = Scrape::of(&api).await;
    let appended = "tollkeeper_events_appended_total";
    for kind in ["AccountRegistered", "TokenIssued", "TokenRevoked"] {
        assert_eq!(shown.value(appended, &[("type", kind)]), 1.0, "{kind}");
    }
    assert_eq!(shown.sum(appended), 3.0);
    wait_for("all to be relayed", async || {
        let shown = Scrape::of(&api).await;
        shown.value("tollkeeper_relay_published_total", &[]) == 3.0
            && shown.value("tollkeeper_relay_lag_events", &[]) == 0.0
            && shown.value("tollkeeper_relay_lag_seconds", &[]) == 0.0
    })
    .await;

    stack.nats.kill().await;
    operator.issue(&account, json!({})).await;
    wait_for("the relay to be behind", async || {
        let shown = Scrape::of(&api).await;
        shown.value("tollkeeper_relay_lag_events", &[]) == 1.0
            && shown.value("tollkeeper_relay_lag_seconds", &[]) > 0.0
            && shown.value("tollkeeper_nats_connected", &[]) == 0.0
    })
    .await;
    stack.nats.restart().await;
    wait_for("the relay to go on", async || {
        let shown = Scrape::of(&api).await;
        shown.value("tollkeeper_relay_published_total", &[]) == 4.0
            && shown.value("tollkeeper_relay_lag_seconds", &[]) == 0.0
            && shown.value("tollkeeper_nats_connected", &[]) == 1.0
            && shown.value("tollkeeper_nats_reconnects_total", &[]) >= 1.0
    })
    .await;
}

#[tokio::test]
async fn a_revocation_is_timed_once_on_each_node() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&[]).await, stack.api(&[]).await);
    let operator = here.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    operator.delete(&path_of(&token)).await.expect(200);
    let heard = async |node: &Node, way: &str| {
        let shown = Scrape::of(node).await;
        let name = "tollkeeper_verification_revocation_applied_seconds_count";
        (shown.value(name, &[("way", way)]), shown.sum(name))
    };
    assert_eq!(heard(&here, "commit").await, (1.0, 1.0));
    let applied = async |node: &Node| {
        let shown = Scrape::of(node).await;
        shown.value("tollkeeper_verification_applied_position", &[]) == 3.0
    };
    wait_for("both to have read the log", async || {
        applied(&here).await && applied(&there).await
    })
    .await;
    assert_eq!(heard(&here, "commit").await, (1.0, 1.0));
    assert_eq!(heard(&there, "commit").await, (0.0, 1.0));
}

/// Without messages the other node would read of all of them in the log, half a second later.
#[tokio::test]
async fn another_node_hears_of_revocations_by_message() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&[]).await, stack.api(&[]).await);
    let operator = here.operator();
    let account = operator.account("crm-1").await;
    const TOKENS: usize = 20;
    for _ in 0..TOKENS {
        let token = operator.issue(&account, json!({})).await;
        operator.delete(&path_of(&token)).await.expect(200);
    }
    let name = "tollkeeper_verification_revocation_applied_seconds_count";
    wait_for("the other node to have heard of all", async || {
        Scrape::of(&there).await.sum(name) == TOKENS as f64
    })
    .await;
    let by_message = Scrape::of(&there).await.value(name, &[("way", "message")]);
    assert!(by_message >= 1.0, "all were read in the log");
}

#[tokio::test]
async fn usage_is_counted_by_events_and_batches() {
    let mut stack = Stack::bare().await;
    let spool = [("TOLLKEEPER_SPOOL_BYTES", "64MiB")];
    let api = stack.api(&spool).await;
    let ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    for _ in 0..5 {
        forward_auth(&api, text(&token, "token"), "")
            .await
            .expect(200);
    }
    wait_for("all to be counted", async || {
        let (sent, taken) = (Scrape::of(&api).await, Scrape::of(&ingestor).await);
        let events = sent.value("tollkeeper_usage_published_events_total", &[]);
        let batches = sent.value("tollkeeper_usage_published_batches_total", &[]);
        events == 5.0
            && (1.0..=5.0).contains(&batches)
            && taken.value("tollkeeper_usage_ingested_events_total", &[]) == 5.0
            && taken.value(
                "tollkeeper_usage_ingested_batches_total",
                &[("outcome", "counted")],
            ) == batches
    })
    .await;
    wait_for("the spool to be told", async || {
        let shown = Scrape::of(&api).await;
        shown.value("tollkeeper_usage_spool_max_bytes", &[]) == f64::from(64 << 20)
    })
    .await;
}
