//! What the subjects share: asking about tokens, and reading problems strictly.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_ambient::{Clock, Entropy, SystemClock, SystemEntropy};
use tollkeeper_domain::secret::{Brand, Environment, TokenSecret};
use tollkeeper_testkit::stack::{Answer, Node, Person};
use tollkeeper_testkit::{Stack, wait_for};

/// A problem as RFC 9457 and the API guide want it; gives its body.
#[track_caller]
pub(crate) fn problem(answer: &Answer, status: u16, code: &str) -> Value {
    let body = unsigned_problem(answer, status, code);
    assert_eq!(answer.header("x-request-id"), body["request_id"].as_str());
    body
}

/// As [`problem`], without the header that only management and `/v1/verify` answer with.
#[track_caller]
pub(crate) fn unsigned_problem(answer: &Answer, status: u16, code: &str) -> Value {
    let body = answer.expect(status);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(body["status"], status, "{body}");
    let kind = format!("urn:tollkeeper:problem:{}", code.to_lowercase());
    assert_eq!(body["type"], kind, "{body}");
    for member in ["title", "detail", "request_id"] {
        let text = body[member].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "no {member}: {body}");
    }
    body
}

/// 422 that names exactly these places of the body.
#[track_caller]
pub(crate) fn bad_fields(answer: &Answer, pointers: &[&str]) {
    let body = problem(answer, 422, "INVALID_FIELDS");
    let errors = body["errors"].as_array().expect("the bad fields");
    let found: Vec<&str> = errors
        .iter()
        .map(|error| error["pointer"].as_str().expect("a pointer"))
        .collect();
    assert_eq!(found, pointers, "{body}");
    assert!(errors.iter().all(|error| error["detail"].is_string()));
}

/// 401 or 403 with the challenge of RFC 6750, section 3, and this `error` in it.
#[track_caller]
pub(crate) fn challenged(answer: &Answer, error: Option<&str>) {
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(
        challenge.starts_with("Bearer realm=\"tollkeeper\""),
        "{challenge}"
    );
    match error {
        Some(error) => assert!(
            challenge.contains(&format!("error=\"{error}\"")),
            "{challenge}"
        ),
        None => assert!(!challenge.contains("error"), "{challenge}"),
    }
}

pub(crate) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    let found = value[member].as_str();
    found.unwrap_or_else(|| panic!("no {member}: {value}"))
}

/// The path of a token that an answer shows.
pub(crate) fn path_of(token: &Value) -> String {
    format!("/v1/tokens/{}", text(token, "id"))
}

pub(crate) fn now() -> DateTime<Utc> {
    SystemClock.now()
}

/// That many seconds from now, as the API writes it.
pub(crate) fn in_seconds(seconds: i64) -> String {
    (now() + TimeDelta::seconds(seconds)).to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// What `/v1/verify` tells `asker` of a token.
pub(crate) async fn verify(asker: &Person, token: &str) -> Value {
    let question = json!({ "token": token });
    asker.post("/v1/verify", question).await.expect(200)
}

/// Waits until `asker` is told this of a token.
pub(crate) async fn verified_as(asker: &Person, token: &str, code: &str) {
    wait_for(&format!("the verdict {code}"), async || {
        verify(asker, token).await["code"] == code
    })
    .await;
}

/// What a reverse proxy is told of a request with this token.
pub(crate) async fn forward_auth(node: &Node, token: &str, query: &str) -> Answer {
    let path = format!("/v1/forward-auth{query}");
    node.bearer(token).get(&path).await
}

/// A request with a header more.
pub(crate) async fn with_header(
    person: &Person,
    method: Method,
    path: &str,
    (name, value): (&str, &str),
    body: Option<Value>,
) -> Answer {
    let request = person.request(method, path).header(name, value);
    Person::send(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

/// A token in good form that nobody has issued.
pub(crate) fn unissued() -> String {
    let brand: Brand = "tk".parse().unwrap();
    let fill = |bytes: &mut [u8]| SystemEntropy.fill(bytes);
    let secret = TokenSecret::generate(&brand, Environment::Live, fill);
    secret.expose().to_owned()
}

/// A token that manages the tokens of its account.
pub(crate) async fn manager(operator: &Person, account: &str, more: &[&str]) -> Value {
    let mut scopes = vec!["tollkeeper:tokens.read", "tollkeeper:tokens.write"];
    scopes.extend(more);
    operator.issue(account, json!({ "scopes": scopes })).await
}

/// A system account's id.
pub(crate) async fn system_account(operator: &Person) -> String {
    let body = json!({ "role": "system" });
    let made = operator.post("/v1/accounts", body).await.expect(201);
    text(&made, "id").to_owned()
}

/// Asks while somebody holds the token's row for as long as a request works at most on many tokens,
/// and for less than the log waits for it.
pub(crate) async fn while_held(
    stack: &Stack,
    token: &Value,
    ask: impl Future<Output = Answer>,
) -> Answer {
    let mut held = stack.database.pool.begin().await.unwrap();
    let id: uuid::Uuid = text(token, "id").parse().unwrap();
    let lock = sqlx::query("select 1 from api_tokens where id = $1 for update").bind(id);
    lock.execute(&mut *held).await.unwrap();
    let release = async {
        wait_for("a write that has waited long", async || {
            let waiting = sqlx::query_scalar::<_, i64>(
                "select count(*) from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock'
                    and clock_timestamp() - query_start > interval '2.1 seconds'",
            );
            waiting.fetch_one(&stack.database.pool).await.unwrap() > 0
        })
        .await;
        held.rollback().await.unwrap();
    };
    tokio::join!(ask, release).0
}

/// A token of a new account with these rate limits.
pub(crate) async fn limited(operator: &Person, limits: Value) -> Value {
    let account = operator.post("/v1/accounts", json!({})).await.expect(201);
    let limited = json!({ "rate_limits": limits });
    operator.issue(text(&account, "id"), limited).await
}

/// Gives a token rate limits, which hold on every node then.
pub(crate) async fn limit_token(operator: &Person, token: &Value, limits: Value) {
    let path = format!("{}?wait=applied", path_of(token));
    let changed = operator.patch(&path, json!({ "rate_limits": limits }));
    changed.await.expect(200);
}

/// The same for an account.
pub(crate) async fn limit_account(operator: &Person, account: &str, limits: Value) {
    let path = format!("/v1/accounts/{account}?wait=applied");
    let changed = operator.patch(&path, json!({ "rate_limits": limits }));
    changed.await.expect(200);
}
