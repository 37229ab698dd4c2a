//! No secret is in anything that the programs print, trace or publish, however loud they are.

use std::process::Command;
use std::sync::Arc;

use futures::StreamExt;
use parking_lot::Mutex;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{Stack, TraceReceiver, wait_for};

use crate::support::{LOUD, forward_auth, header_values, lifecycle, parent, post, text};

const OPERATOR_KEY: &str = "an-operator-key-that-nobody-may-see-0123";
const JWT_SECRET: &str = "a-shared-secret-of-jwts-that-nobody-may-see";
const SEAL_KEY: &str = "c2VhbC1rZXktdGhhdC1ub2JvZHktbWF5LXNlZS0wMTI=";
const DATABASE_PASSWORD: &str = "database-password-that-nobody-may-see";
const BROKER_PASSWORD: &str = "broker-password-that-nobody-may-see";
const HOOK_KEY: &str = "webhook-url-key-that-nobody-may-see";

/// What may be nowhere, and where it is looked for.
#[derive(Default)]
struct Search {
    secrets: Vec<(String, String)>,
    places: Vec<(String, Vec<u8>)>,
}

impl Search {
    fn secret(&mut self, what: &str, secret: &str) {
        assert!(secret.len() > 16, "{what} would be found by chance");
        self.secrets.push((what.to_owned(), secret.to_owned()));
    }

    /// Keeps a token that an answer shows, and gives it.
    fn token(&mut self, what: &str, answer: &Value) -> String {
        let token = text(answer, "token").to_owned();
        // Its prefix may be seen; what follows may not, in parts neither.
        self.secret(what, &token[12..]);
        token
    }

    fn place(&mut self, what: &str, content: impl Into<Vec<u8>>) {
        self.places.push((what.to_owned(), content.into()));
    }

    /// Each secret that is somewhere, with the place.
    fn found(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (place, content) in &self.places {
            for (what, secret) in &self.secrets {
                let mut windows = content.windows(secret.len());
                if windows.any(|window| window == secret.as_bytes()) {
                    found.push(format!("{what} is in {place}"));
                }
            }
        }
        found
    }
}

#[test]
fn what_is_planted_is_found() {
    let mut search = Search::default();
    search.secret("a key", OPERATOR_KEY);
    search.place("a quiet place", "nothing of it");
    assert!(search.found().is_empty());
    search.place(
        "a payload",
        [b"\n\x12", OPERATOR_KEY.as_bytes(), b"\0"].concat(),
    );
    assert_eq!(search.found(), ["a key is in a payload"]);
}

/// Everything that is published from now on.
async fn overhear(stack: &Stack) -> Arc<Mutex<Vec<u8>>> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    let client = stack.nats.client().await;
    let mut messages = client.subscribe(">").await.unwrap();
    client.flush().await.unwrap();
    tokio::spawn(async move {
        while let Some(message) = messages.next().await {
            let mut kept = kept.lock();
            kept.extend_from_slice(message.subject.as_bytes());
            kept.extend(message.headers.iter().flat_map(header_values));
            kept.extend_from_slice(&message.payload);
        }
    });
    heard
}

/// A login of its own at the database, as which a program of this role works.
async fn database_url(stack: &Stack, role: &str) -> String {
    let login = format!("{role}_of_secrets");
    let make = format!("create role {login} login password '{DATABASE_PASSWORD}' in role {role}");
    let made = sqlx::raw_sql(AssertSqlSafe(make));
    made.execute(&stack.database.pool).await.unwrap();
    let (_, rest) = stack.database.url.split_once('@').unwrap();
    format!("postgres://{login}:{DATABASE_PASSWORD}@{rest}")
}

#[tokio::test]
async fn no_secret_is_printed_traced_or_published() {
    let receiver = TraceReceiver::start().await;
    let endpoint = receiver.endpoint();
    let mut stack = Stack::bare().await;
    let heard = overhear(&stack).await;
    let (api_database, ingestor_database) = (
        database_url(&stack, "tollkeeper_api").await,
        database_url(&stack, "tollkeeper_ingestor").await,
    );
    let broker = format!("nats://somebody:{BROKER_PASSWORD}@{}", stack.nats.address());
    let common = [
        ("TOLLKEEPER_OTLP_ENDPOINT", endpoint.as_str()),
        ("TOLLKEEPER_NATS_URL", broker.as_str()),
    ];
    let operator_key = format!("root:{OPERATOR_KEY}");
    let seal_keys = format!("now:{SEAL_KEY}");
    let own = [
        ("TOLLKEEPER_DATABASE_URL", api_database.as_str()),
        ("TOLLKEEPER_TRACE_RATIO", "1"),
        ("TOLLKEEPER_OPERATOR_KEY", operator_key.as_str()),
        ("TOLLKEEPER_SEAL_KEYS", seal_keys.as_str()),
        ("TOLLKEEPER_JWT_ISSUER", "https://id.example.com"),
        ("TOLLKEEPER_JWT_AUDIENCE", "tollkeeper"),
        ("TOLLKEEPER_JWT_HS256_SECRET", JWT_SECRET),
        ("TOLLKEEPER_WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8"),
    ];
    let api = stack
        .api(&[&common[..], &LOUD[..], &own[..]].concat())
        .await;
    let own = [("TOLLKEEPER_DATABASE_URL", ingestor_database.as_str())];
    let ingestor = stack
        .ingestor(&[&common[..], &LOUD[..], &own[..]].concat())
        .await;

    let mut search = Search::default();
    for (what, secret) in [
        ("the operator's key", OPERATOR_KEY),
        ("the secret of JWTs", JWT_SECRET),
        ("the seal key", SEAL_KEY),
        ("the database's password", DATABASE_PASSWORD),
        ("the broker's password", BROKER_PASSWORD),
        ("the key in a webhook's URL", HOOK_KEY),
    ] {
        search.secret(what, secret);
    }
    let operator = api.by_key(OPERATOR_KEY);
    let account = operator.account("crm-1").await;
    let tokens = use_everything(&api, &operator, &account, &mut search).await;
    misplace(&api, &operator, &tokens).await;
    command_line(&api, &stack, (&broker, &account), &mut search);
    let broken = wrong_settings(&mut stack).await;

    lifecycle(&stack, "TokenRevoked").await;
    receiver
        .span("the ingestor's span", |it| {
            it.service == "tollkeeper-ingestor"
        })
        .await;
    wait_for("usage to be heard", async || {
        let heard = heard.lock();
        heard.windows(6).any(|window| window == b"usage.")
    })
    .await;
    for (what, node) in [("the API's log", &api), ("the ingestor's log", &ingestor)] {
        let log = node.log_text();
        assert!(log.contains("DEBUG"), "{what} is not loud");
        search.place(what, log);
        search.place("metrics", node.about_itself("/metrics").await.text);
    }
    for said in broken {
        search.place("the complaint about a setting", said);
    }
    for body in receiver.bodies() {
        search.place("a trace", body.to_vec());
    }
    search.place("what was published", heard.lock().clone());
    assert_eq!(search.found(), Vec::<String>::new());
}

/// Uses what there is to use, as it is meant to be. Answers tokens that work.
async fn use_everything(
    api: &Node,
    operator: &Person,
    account: &str,
    search: &mut Search,
) -> [String; 2] {
    let url = format!("http://127.0.0.1:9/hook?key={HOOK_KEY}");
    let webhook = json!({ "account_id": account, "url": url });
    let webhook = operator.post("/v1/webhooks", webhook).await.expect(201);
    search.secret("a webhook's secret", text(&webhook, "secret"));
    let path = format!("/v1/webhooks/{}/rotate-secret", text(&webhook, "id"));
    let rotated = operator.post(&path, json!({})).await.expect(200);
    search.secret("a webhook's new secret", text(&rotated, "secret"));

    let body = json!({ "account_id": account, "name": "ci", "scopes": ["orders:read"] });
    let key = [
        ("idempotency-key", "once-1"),
        ("traceparent", &parent(true)),
    ];
    let issued = post(operator, "/v1/tokens", &key, body.clone())
        .await
        .expect(201);
    post(operator, "/v1/tokens", &key, body).await.expect(201);
    let token = search.token("an issued token", &issued);
    let path = format!("/v1/tokens/{}", text(&issued, "id"));
    let grace = json!({ "grace_seconds": 600 });
    let rotated = operator
        .post(&format!("{path}/rotate"), grace)
        .await
        .expect(200);
    let rotated = search.token("a rotated token", &rotated);

    for token in [&token, &rotated] {
        forward_auth(api, token, &[]).await.expect(200);
        let question = json!({ "token": token, "endpoint": "/orders" });
        operator
            .post("/v1/verify", question.clone())
            .await
            .expect(200);
        let batch = json!({ "items": [question] });
        operator.post("/v1/verify/batch", batch).await.expect(200);
        let form = operator.request(Method::POST, "/oauth/introspect");
        let form = form.form(&[("token", token.as_str())]);
        Person::send(form).await.expect(200);
    }
    let gone = operator.issue(account, json!({})).await;
    let revoked = search.token("a revoked token", &gone);
    let form = operator.request(Method::POST, "/oauth/revoke");
    Person::send(form.form(&[("token", revoked.as_str())])).await;
    forward_auth(api, &revoked, &[]).await.expect(401);
    [token, rotated]
}

/// Puts secrets where none belongs.
async fn misplace(api: &Node, operator: &Person, [token, other]: &[String; 2]) {
    let state = format!("vendor={token}");
    forward_auth(
        api,
        token,
        &[
            ("user-agent", other),
            ("x-request-id", other),
            ("referer", other),
            ("tracestate", &state),
            ("traceparent", &parent(true)),
        ],
    )
    .await
    .expect(200);
    let paths = [
        format!("/v1/forward-auth/reset/{other}?token={other}"),
        format!("/v1/tokens/{other}"),
        format!("/v1/tokens?search={other}"),
        format!("/v1/{other}?token={other}"),
        format!("/{other}"),
    ];
    for path in &paths {
        api.bearer(token).get(path).await;
        operator.get(path).await;
    }
    for body in [
        json!({ other: token }),
        json!({ "account_id": other }),
        json!({ "expires_at": other, "scopes": [other] }),
    ] {
        let headers = [
            ("x-request-id", other.as_str()),
            ("tracestate", state.as_str()),
        ];
        post(operator, "/v1/tokens", &headers, body).await;
    }
    let broken = operator.request(Method::POST, "/v1/tokens");
    let broken = broken.header("content-type", "application/json");
    Person::send(broken.body(format!("{{\"token\": \"{other}\""))).await;
    for wrong in [OPERATOR_KEY, JWT_SECRET] {
        api.bearer(wrong).get("/v1/tokens").await;
        api.bearer(&format!("a.{wrong}.c")).get("/v1/tokens").await;
        forward_auth(api, wrong, &[]).await;
    }
}

/// Has the command line do what it can, as loud as it can. Only where a token is issued may it show one.
fn command_line(api: &Node, stack: &Stack, (broker, account): (&str, &str), search: &mut Search) {
    let (_, rest) = stack.database.url.split_once('@').unwrap();
    let wrong = format!("postgres://nobody:{DATABASE_PASSWORD}@{rest}");
    let mut run = |database: &str, arguments: &[&str]| {
        let ran = Command::new(env!("CARGO_BIN_EXE_tollkeeper"))
            .args(arguments)
            .env_clear()
            .env("TOLLKEEPER_LOG", "debug")
            .env("TOLLKEEPER_URL", format!("http://{}", api.public))
            .env("TOLLKEEPER_API_KEY", OPERATOR_KEY)
            .env("TOLLKEEPER_NATS_URL", broker)
            .env("TOLLKEEPER_DATABASE_URL", database)
            .current_dir(std::env::temp_dir())
            .output()
            .unwrap();
        let what = format!("tollkeeper {}", arguments.join(" "));
        search.place(&what, ran.stderr);
        let shown = String::from_utf8(ran.stdout).unwrap();
        if arguments.starts_with(&["token", "issue"]) {
            search.secret("a token issued by command", shown.trim());
        } else {
            search.place(&what, shown);
        }
    };
    let own = stack.database.url.clone();
    run(
        &own,
        &["token", "issue", "cli", "--quiet", "--account", account],
    );
    run(&own, &["token", "list"]);
    run(&own, &["audit", "verify"]);
    run(&own, &["nats", "diff"]);
    run(&own, &["projections", "verify"]);
    run(&own, &["dead-letters", "list"]);
    run(&wrong, &["audit", "verify"]);
    run(
        &format!("postgres//x:{DATABASE_PASSWORD}@y"),
        &["audit", "verify"],
    );
}

/// What programs say that are told nonsense with a secret in it.
async fn wrong_settings(stack: &mut Stack) -> Vec<String> {
    let url = format!("postgres://x y:{DATABASE_PASSWORD}@nowhere:port/db");
    let nats = format!("://x:{BROKER_PASSWORD}@");
    let key = format!("UPPER CASE:{OPERATOR_KEY}");
    let mut said = Vec::new();
    for (name, value) in [
        ("TOLLKEEPER_DATABASE_URL", url.as_str()),
        ("TOLLKEEPER_NATS_URL", &nats),
        ("TOLLKEEPER_OPERATOR_KEY", &key),
        ("TOLLKEEPER_SEAL_KEYS", SEAL_KEY),
        ("TOLLKEEPER_JWT_HS256_SECRET", JWT_SECRET),
    ] {
        let mut node = stack.starting_api(&[(name, value), LOUD[0], LOUD[1]]);
        let complaint = async || node.log_text().contains("cannot start");
        wait_for(name, complaint).await;
        said.push(node.log_text());
        node.stop().await;
    }
    said
}
