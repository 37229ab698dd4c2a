//! The whole road: tokens are issued, the real nginx asks about every request, and what is counted
//! in the end is what nginx's own access log says, exactly.

#![allow(clippy::unwrap_used, reason = "a test")]

mod nginx;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use nginx::Nginx;
use serde_json::{Value, json};
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_testkit::stack::Person;
use tollkeeper_testkit::{Stack, wait_for};
use uuid::Uuid;

const REQUESTS: usize = 20_000;
const CLIENTS: usize = 16;
const PATHS: [&str; 6] = [
    "/",
    "/index.html",
    "/orders/",
    "/orders/17.json?page=2",
    "/img/logo.svg",
    "/missing",
];

/// A client of the site, as the access log names it.
#[derive(Clone)]
struct Client {
    label: &'static str,
    token: String,
    /// The token's id; none if the token is made up.
    id: Option<String>,
    /// How many of every hundred requests are its.
    share: usize,
}

/// Counts by status.
type Counts = BTreeMap<i64, i64>;

#[tokio::test(flavor = "multi_thread")]
async fn what_nginx_served_is_what_was_counted() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let nginx = Nginx::start(api.public).await;

    let clients = clients(&operator).await;
    let revoked = clients
        .iter()
        .find(|it| it.label == "revoked")
        .cloned()
        .unwrap();
    let expired = clients
        .iter()
        .find(|it| it.label == "expired")
        .cloned()
        .unwrap();
    wait_for("the short token to expire", async || {
        let path = format!("/v1/tokens/{}", expired.id.as_deref().unwrap());
        operator.get(&path).await.expect(200)["state"] == "expired"
    })
    .await;
    browse(&nginx, &clients, &operator, revoked.id.as_deref().unwrap()).await;

    let log = nginx.access_log();
    assert_eq!(log.len(), REQUESTS, "every request is in nginx's log once");
    for client in &clients {
        let mut served = Counts::new();
        // A file that is not there was allowed all the same; Tollkeeper's answer to that was 200.
        for (_, _, status) in log.iter().filter(|(label, ..)| label == client.label) {
            *served
                .entry(i64::from(if *status == 404 { 200 } else { *status }))
                .or_default() += 1;
        }
        expected_statuses(client.label, &served);
        if let Some(id) = &client.id {
            compare(&stack, &operator, id, &served).await;
        }
    }
    nothing_else_was_counted(&stack, &log, &clients).await;
    for (command, word) in [
        ("audit", "the chain is whole"),
        ("projections", "the log says"),
    ] {
        let told = std::process::Command::new(env!("CARGO_BIN_EXE_tollkeeper"))
            .args([command, "verify"])
            .env("TOLLKEEPER_DATABASE_URL", &stack.database.url)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&told.stdout);
        assert!(
            told.status.success() && text.contains(word),
            "{command}: {told:?}"
        );
    }
    let printed = api.log_text();
    for client in clients.iter().filter(|it| it.id.is_some()) {
        assert!(
            !printed.contains(&client.token),
            "{} is in the log",
            client.label
        );
    }
}

async fn clients(operator: &Person) -> Vec<Client> {
    let account = operator.account("shop").await;
    let soon = SystemClock.now() + TimeDelta::milliseconds(300);
    let scopes = json!(["site:read", "orders:*"]);
    let mut clients = Vec::new();
    for (label, share, fields) in [
        ("busy", 45, json!({ "scopes": scopes })),
        ("second", 20, json!({ "scopes": ["site:*"] })),
        ("revoked", 15, json!({ "scopes": scopes })),
        ("suspended", 4, json!({ "scopes": scopes })),
        (
            "expired",
            4,
            json!({ "scopes": scopes, "expires_at": soon }),
        ),
        ("scopeless", 6, json!({ "scopes": ["orders:*"] })),
    ] {
        let issued = operator.issue(&account, fields).await;
        let text = |name: &str| issued[name].as_str().unwrap().to_owned();
        clients.push(Client {
            label,
            token: text("token"),
            id: Some(text("id")),
            share,
        });
    }
    let suspended = format!("/v1/tokens/{}/suspend", clients[3].id.as_deref().unwrap());
    let _ = operator.post(&suspended, json!({})).await.expect(200);
    let unknown = tollkeeper_domain::secret::TokenSecret::generate(
        &"tk".parse().unwrap(),
        tollkeeper_domain::secret::Environment::Live,
        |bytes| bytes.fill(7),
    );
    let made_up = |label, token: &str| Client {
        label,
        token: token.to_owned(),
        id: None,
        share: 3,
    };
    clients.push(made_up("malformed", "tk_live_0123"));
    clients.push(made_up("unknown", unknown.expose()));
    clients
}

/// Sends all requests; when half are sent, one token is revoked.
async fn browse(nginx: &Nginx, clients: &[Client], operator: &Person, revoked: &str) {
    let next = Arc::new(AtomicUsize::new(0));
    let plan: Arc<Vec<Client>> = Arc::new(
        clients
            .iter()
            .flat_map(|it| std::iter::repeat_n(it.clone(), it.share))
            .collect(),
    );
    assert_eq!(plan.len(), 100);
    let http = tollkeeper_testkit::http_client();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let (next, plan, http, address) = (next.clone(), plan.clone(), http.clone(), nginx.address);
        let (operator, revoked) = (operator.clone(), revoked.to_owned());
        running.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= REQUESTS {
                    return;
                }
                if number == REQUESTS / 2 {
                    let path = format!("/v1/tokens/{revoked}?reason=key_compromise");
                    let _ = operator.delete(&path).await.expect(200);
                }
                // A stride that visits every client and every path in no simple order.
                let client = &plan[number * 37 % plan.len()];
                let path = PATHS[number / 7 % PATHS.len()];
                let answer = http
                    .get(format!("http://{address}{path}"))
                    .bearer_auth(&client.token)
                    .header("X-Label", client.label)
                    // What a client claims to be is overwritten.
                    .header("X-Tollkeeper-Token-Id", "forged")
                    .send()
                    .await
                    .unwrap();
                answer.bytes().await.unwrap();
            }
        });
    }
    running.join_all().await;
}

fn expected_statuses(label: &str, served: &Counts) {
    let statuses: Vec<i64> = served.keys().copied().collect();
    match label {
        "busy" | "second" => assert_eq!(statuses, [200], "{label}"),
        "revoked" => assert_eq!(statuses, [200, 401], "{label}"),
        "scopeless" => assert_eq!(statuses, [403], "{label}"),
        _ => assert_eq!(statuses, [401], "{label}"),
    }
}

/// The total, the raw rows and the rollups of one token against nginx's log.
async fn compare(stack: &Stack, operator: &Person, id: &str, served: &Counts) {
    let all: i64 = served.values().sum();
    let path = format!("/v1/tokens/{id}");
    wait_for("everything to be counted", async || {
        operator.get(&path).await.expect(200)["usage_count"].as_i64() >= Some(all)
    })
    .await;
    let token = operator.get(&path).await.expect(200);
    assert_eq!(token["usage_count"], all);
    let used = token["last_used_at"] != Value::Null;
    assert_eq!(
        used,
        served.contains_key(&200),
        "only allowed requests are a use"
    );

    let id: Uuid = id.parse().unwrap();
    let raw: Vec<(i64, i64)> = sqlx::query_as(
        "select status::bigint, count(*) from api_token_usage where token_id = $1 group by 1",
    )
    .bind(id)
    .fetch_all(&stack.database.pool)
    .await
    .unwrap();
    assert_eq!(&Counts::from_iter(raw), served, "raw rows");

    let hourly: Vec<(i64, i64)> = sqlx::query_as(
        "select status_class::bigint, sum(requests)::bigint
        from api_token_usage_hourly where token_id = $1 group by 1",
    )
    .bind(id)
    .fetch_all(&stack.database.pool)
    .await
    .unwrap();
    let mut by_class = Counts::new();
    for (status, count) in served {
        *by_class.entry(status / 100).or_default() += count;
    }
    assert_eq!(Counts::from_iter(hourly), by_class, "rollups");
}

async fn nothing_else_was_counted(
    stack: &Stack,
    log: &[(String, String, u16)],
    clients: &[Client],
) {
    let known = |label: &str| {
        clients
            .iter()
            .any(|it| it.label == label && it.id.is_some())
    };
    let known = log.iter().filter(|(label, ..)| known(label)).count();
    let (rows, total): (i64, i64) = sqlx::query_as(
        "select (select count(*) from api_token_usage),
            (select sum(usage_count)::bigint from api_token_usage_totals)",
    )
    .fetch_one(&stack.database.pool)
    .await
    .unwrap();
    let known = i64::try_from(known).unwrap();
    assert_eq!((rows, total), (known, known));
}
