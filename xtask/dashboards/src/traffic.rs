//! Callers of every kind, so that every panel has something to show.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_testkit::stack::{Node, Person};

/// Accounts, and how many tokens each has.
const ACCOUNTS: [(&str, &str, usize); 4] = [
    ("acme", "Acme Shop", 4),
    ("bright", "Bright Books", 3),
    ("cedar", "Cedar Travel", 2),
    ("delta", "Delta Labs", 1),
];

const NAMES: [&str; 4] = ["web shop", "mobile app", "nightly export", "partner"];

/// What is called, how, and how often in comparison.
const CALLS: [(&str, &str, usize); 6] = [
    ("GET", "orders/17", 6),
    ("GET", "orders", 4),
    ("POST", "orders", 2),
    ("GET", "customers/4711/addresses", 3),
    ("PUT", "customers/4711", 1),
    ("DELETE", "carts/0192f1f0-7e57-7000-8000-000000000001", 1),
];

/// How many ask at the same time, and how long each waits between two questions at most.
const CLIENTS: usize = 4;
const PAUSE_MILLIS: u64 = 40;

/// Callers at work. They stop when this is dropped.
#[derive(Debug)]
pub struct Traffic {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

/// Who calls.
#[derive(Debug, Clone)]
struct Callers {
    /// Their calls pass, but for those that a limit refuses.
    working: Vec<Value>,
    /// Their calls are refused.
    refused: Vec<String>,
}

impl Traffic {
    /// Registers accounts and tokens at the first API and calls all of them.
    ///
    /// # Panics
    /// When an API refuses what it should not.
    pub async fn start(apis: &[Node]) -> Self {
        let operator = apis[0].operator();
        let callers = register(&operator).await;
        tell_of_the_past(&operator, &callers).await;
        let hook = receiver().await;
        let body = json!({ "url": hook, "description": "a receiver" });
        operator.post("/v1/webhooks", body).await.expect(201);
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for number in 0..CLIENTS {
            let api = &apis[number % apis.len()];
            let person = api.nobody();
            tasks.spawn(call(person, callers.clone(), Arc::clone(&stop), number));
        }
        tasks.spawn(try_in_vain(
            apis[0].nobody(),
            callers.clone(),
            Arc::clone(&stop),
        ));
        tasks.spawn(manage(operator, callers, Arc::clone(&stop)));
        Self { stop, tasks }
    }

    /// Ends all of it.
    pub async fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.tasks.join_all().await;
    }
}

async fn register(operator: &Person) -> Callers {
    let mut callers = Callers {
        working: Vec::new(),
        refused: vec!["tk_live_nobodyknowsthisone".to_owned()],
    };
    for (external_id, name, tokens) in ACCOUNTS {
        let body = json!({ "external_id": external_id, "name": name });
        let account = operator.post("/v1/accounts", body).await.expect(201);
        let account = account["id"].as_str().expect("an id").to_owned();
        for (number, name) in NAMES.iter().enumerate().take(tokens) {
            let mut fields = json!({ "name": name, "scopes": ["orders:*", "customers:read"] });
            if number == 1 {
                let limit = json!({ "name": "calls", "limit": 5, "window_seconds": 1 });
                fields["rate_limits"] = json!([limit]);
            }
            if number == 2 {
                let quota = json!({ "name": "calls", "limit": 300, "refill": "daily" });
                fields["quotas"] = json!([quota]);
                fields["expires_in_minutes"] = json!(60);
            }
            callers.working.push(operator.issue(&account, fields).await);
        }
        let ended = operator
            .issue(&account, json!({ "name": "an old one" }))
            .await;
        let path = format!("/v1/tokens/{}", ended["id"].as_str().expect("an id"));
        operator.delete(&path).await.expect(200);
        callers.refused.push(secret(&ended));
    }
    callers
}

fn secret(token: &Value) -> String {
    token["token"].as_str().expect("a secret").to_owned()
}

/// Reports calls of the last week, more of them by day than by night.
async fn tell_of_the_past(operator: &Person, callers: &Callers) {
    let mut random = fastrand::Rng::with_seed(7);
    let now = SystemClock.now();
    let mut events = Vec::new();
    for hour in 1..7 * 24 {
        let time = now - TimeDelta::hours(hour);
        let day =
            (f64::from(u32::try_from(hour).unwrap_or(0)) / 24.0 * std::f64::consts::TAU).cos();
        let calls = 10 + (20.0 * (1.0 + day)) as usize;
        for number in 0..calls {
            let token = &callers.working[random.usize(..callers.working.len())];
            events.push(past(&mut random, token, time, hour, number));
        }
    }
    for part in events.chunks(900) {
        let body = json!({ "events": part });
        operator.post("/v1/usage", body).await.expect(200);
    }
}

fn past(
    random: &mut fastrand::Rng,
    token: &Value,
    time: DateTime<Utc>,
    hour: i64,
    number: usize,
) -> Value {
    let (method, path, _) = CALLS[random.usize(..CALLS.len())];
    let status = match random.u8(..20) {
        0 => 500,
        1 | 2 => 404,
        _ => 200,
    };
    json!({
        "id": format!("past-{hour}-{number}"),
        "token_id": token["id"],
        "endpoint": format!("/{path}"),
        "method": method,
        "status": status,
        "response_time_us": (200.0 + 60_000.0 * random.f64().powi(5)) as u64,
        "timestamp": time.to_rfc3339_opts(SecondsFormat::Micros, true),
    })
}

/// Calls, until it is told to stop. It does not mind whether anybody answers.
async fn call(person: Person, callers: Callers, stop: Arc<AtomicBool>, number: usize) {
    let mut random = fastrand::Rng::with_seed(number as u64);
    let weighted: Vec<(&str, &str)> = CALLS
        .iter()
        .flat_map(|(method, path, times)| std::iter::repeat_n((*method, *path), *times))
        .collect();
    while !stop.load(Ordering::SeqCst) {
        let (method, path) = weighted[random.usize(..weighted.len())];
        let token = if random.u8(..12) == 0 {
            callers.refused[random.usize(..callers.refused.len())].clone()
        } else {
            // Some are used more than others.
            let upto = 1 + random.usize(..callers.working.len());
            secret(&callers.working[random.usize(..upto)])
        };
        let scope = if random.u8(..15) == 0 {
            "users:read"
        } else {
            "orders:read"
        };
        let method: Method = method.parse().expect("a method");
        let url = format!("/v1/forward-auth/{path}?from=path&scope={scope}");
        let request = person.request(method, &url).bearer_auth(token);
        let _whatever = Person::try_send(request).await;
        tokio::time::sleep(Duration::from_millis(random.u64(..PAUSE_MILLIS))).await;
    }
}

/// Issues, changes and ends tokens, and asks about usage, until it is told to stop.
async fn manage(operator: Person, callers: Callers, stop: Arc<AtomicBool>) {
    let account = callers.working[0]["account_id"].clone();
    let mut turn = 0_u64;
    while !stop.load(Ordering::SeqCst) {
        turn += 1;
        let body = json!({ "account_id": account, "name": format!("short-lived {turn}") });
        let issue = operator.request(Method::POST, "/v1/tokens").json(&body);
        if let Some(made) = Person::try_send(issue).await.filter(|it| it.status == 201) {
            let path = format!(
                "/v1/tokens/{}",
                made.json()["id"].as_str().unwrap_or_default()
            );
            let used = operator.request(Method::GET, "/v1/forward-auth/orders?from=path");
            let used = used.bearer_auth(secret(&made.json()));
            let rename = json!({ "name": format!("renamed {turn}") });
            let rotate = json!({ "grace_seconds": 5 });
            for request in [
                used,
                operator.request(Method::PATCH, &path).json(&rename),
                operator
                    .request(Method::POST, &format!("{path}/rotate"))
                    .json(&rotate),
                operator.request(Method::GET, &format!("{path}/usage")),
                operator.request(Method::GET, "/v1/tokens?limit=20"),
                operator.request(Method::DELETE, &path),
            ] {
                let _whatever = Person::try_send(request).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Tries to manage tokens with credentials that are not good for it, until it is told to stop.
async fn try_in_vain(person: Person, callers: Callers, stop: Arc<AtomicBool>) {
    let weak = secret(&callers.working[0]);
    let somebody = callers.working[0]["id"].as_str().expect("an id");
    let path = format!("/v1/tokens/{somebody}");
    while !stop.load(Ordering::SeqCst) {
        for request in [
            person.request(Method::GET, "/v1/tokens"),
            person.request(Method::DELETE, &path).bearer_auth(&weak),
            person
                .request(Method::GET, "/v1/accounts")
                .bearer_auth(&callers.refused[0]),
        ] {
            let _whatever = Person::try_send(request).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Somebody's endpoint, which takes every event.
async fn receiver() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await;
    let listener = listener.expect("the loopback has a free port");
    let address = listener.local_addr().expect("it listens");
    let router = axum::Router::new().fallback(async || "thank you");
    // It ends with the runtime.
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/")
}
