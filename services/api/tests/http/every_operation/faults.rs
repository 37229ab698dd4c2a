//! What is no fault of the caller's: 409 `BUSY`, 500 and 503.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use tollkeeper_testkit::stack::{Answer, Node, Person};
use tollkeeper_testkit::{FaultProxy, Stack, wait_for};

use super::list::SCOPES;
use super::{OPERATIONS, Operation, SETTINGS, World};
use crate::support::{problem, system_account, text};

/// Words that tell how Tollkeeper is made, or what it holds.
const INSIDE: [&str; 8] = [
    "sqlx",
    "postgres",
    "connection",
    "pool",
    "127.0.0.1",
    "column",
    "decod",
    "expected",
];

/// A caller who may do everything for the system account, and whom the node knows.
async fn known(api: &Node, system: &str) -> Person {
    let token = api
        .operator()
        .issue(system, json!({ "scopes": SCOPES }))
        .await;
    let person = api.bearer(text(&token, "token"));
    person.get("/v1/whoami").await.expect(200);
    person
}

async fn ask_all(person: &Person, world: &World) -> Vec<(&'static Operation, Answer)> {
    let asked = OPERATIONS.iter().map(async |operation| {
        let answer = Person::send(world.request(person, operation)).await;
        (operation, answer)
    });
    join_all(asked).await
}

#[track_caller]
fn says_nothing_of_the_inside(answer: &Answer) {
    let told = answer.text.to_lowercase();
    assert!(!INSIDE.iter().any(|word| told.contains(word)), "{told}");
}

async fn form(person: &Person, path: &str, token: &str) -> Answer {
    let request = person.request(Method::POST, path);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    Person::send(request.body(format!("token={token}"))).await
}

#[tokio::test]
async fn without_the_database_every_operation_says_when_to_try_again() {
    let mut stack = Stack::bare().await;
    let proxy = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(proxy.address());
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    operator.account("somebody known").await;
    let system = system_account(&operator).await;
    let world = World::of(&operator, &system).await;
    let cold = operator.issue(&system, json!({ "scopes": SCOPES })).await;
    let cold = text(&cold, "token");
    let warm = known(&api, &system).await;

    proxy.cut();
    let mut answers = ask_all(&warm, &world).await;
    // It answers from memory, and says so where it cannot.
    answers.retain(|(operation, _)| !operation.path.starts_with("/v1/verify"));
    answers.extend(ask_all(&api.bearer(cold), &world).await);
    assert_eq!(answers.len(), 2 * OPERATIONS.len() - 2);
    for (operation, answer) in &answers {
        let name = operation.name();
        assert_eq!(answer.status, 503, "{name}: {}", answer.text);
        problem(answer, 503, "UNAVAILABLE");
        let seconds = answer.header("retry-after").expect("when to try again");
        assert!(seconds.parse::<u32>().is_ok_and(|it| it > 0), "{seconds}");
        says_nothing_of_the_inside(answer);
    }
    for (person, path) in [
        (&warm, "/oauth/introspect"),
        (&api.nobody(), "/oauth/revoke"),
    ] {
        let answer = form(person, path, cold).await;
        let body = answer.expect(503);
        assert_eq!(body["error"], "temporarily_unavailable", "{path}: {body}");
        assert!(answer.header("retry-after").is_some(), "{path}");
        says_nothing_of_the_inside(&answer);
    }

    proxy.resume();
    let path = format!("/v1/tokens/{}", world.token);
    wait_for("the database to be back", async || {
        operator.get(&path).await.status == 200
    })
    .await;
    let token = operator.get(&path).await.expect(200);
    assert_eq!(token["version"], 1, "nothing was done");
}

/// Has the tables hold what no version of the program has ever written.
pub(crate) async fn damage(stack: &Stack) {
    for statement in [
        "alter table events disable trigger events_are_final",
        "update events set payload = 'x'",
        "update api_tokens set scopes = array[null]::text[]",
        "update webhooks set types = array[null]::text[]",
        "alter table accounts drop constraint accounts_role_check",
        "update accounts set role = 'king'",
        // And refuse what it writes.
        "alter table accounts add constraint unheard_of check (role = 'king')",
        "alter table api_tokens add constraint unheard_of check (name is null) not valid",
    ] {
        let done = sqlx::query(statement).execute(&stack.database.pool).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

#[tokio::test]
async fn a_fault_of_our_own_says_nothing_of_the_inside() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    operator.account("somebody known").await;
    let system = system_account(&operator).await;
    let world = World::of(&operator, &system).await;
    let person = known(&api, &system).await;
    let held = operator.issue(&system, json!({})).await;
    damage(&stack).await;
    let revoked = form(&api.nobody(), "/oauth/revoke", text(&held, "token")).await;
    assert_eq!(revoked.expect(500)["error"], "server_error");
    says_nothing_of_the_inside(&revoked);
    let mut well = Vec::new();
    for (operation, answer) in ask_all(&person, &world).await {
        let name = operation.name();
        if answer.status != 500 {
            well.push((name, answer.status));
            continue;
        }
        let body = problem(&answer, 500, "INTERNAL");
        says_nothing_of_the_inside(&answer);
        // The log is written beside the answer, so it may come a little later.
        wait_for(&format!("{name} to be logged"), async || {
            api.log_text().contains(text(&body, "request_id"))
        })
        .await;
    }
    // These have read nothing of it.
    let well: Vec<_> = well
        .iter()
        .map(|(name, status)| (&**name, *status))
        .collect();
    let untouched = [
        ("GET /v1/tokens/bulk-revoke/{id}", 200),
        ("GET /v1/audit", 200),
        ("GET /v1/usage", 200),
        ("GET /v1/usage/tokens", 200),
        ("POST /v1/usage", 200),
        ("POST /v1/webhooks", 201),
        ("POST /v1/verify", 200),
        ("POST /v1/verify/batch", 200),
    ];
    assert_eq!(well, untouched);
}

/// The operations that take turns at one token or account.
pub(super) const IN_TURN: [&str; 12] = [
    "PATCH /v1/accounts/{id}",
    "DELETE /v1/accounts/{id}",
    "POST /v1/accounts/{id}/suspend",
    "POST /v1/accounts/{id}/resume",
    "POST /v1/accounts/{id}/quotas/{name}/refill",
    "PATCH /v1/tokens/{id}",
    "DELETE /v1/tokens/{id}",
    "POST /v1/tokens/{id}/rotate",
    "POST /v1/tokens/{id}/suspend",
    "POST /v1/tokens/{id}/resume",
    "POST /v1/tokens/{id}/quotas/{name}/refill",
    "DELETE /settings/api-tokens/{id}",
];

/// Asks so often at once that somebody's turn does not come in time.
async fn until_busy(what: &str, ask: impl AsyncFn() -> Answer) -> Answer {
    let busy = parking_lot::Mutex::new(None);
    wait_for(&format!("{what} to be busy"), async || {
        let answers = join_all((0..6).map(|_| ask())).await;
        let refused = answers.into_iter().find(|answer| answer.status == 409);
        let found = refused.is_some();
        *busy.lock() = refused;
        found
    })
    .await;
    busy.into_inner().unwrap()
}

#[tokio::test]
async fn whoever_waits_too_long_for_a_turn_is_told_that_nothing_was_done() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&SETTINGS).await;
    let operator = api.operator();
    let system = system_account(&operator).await;
    let person = known(&api, &system).await;
    let operations: Vec<&Operation> = OPERATIONS
        .iter()
        .filter(|it| IN_TURN.contains(&it.name().as_str()))
        .collect();
    assert_eq!(operations.len(), IN_TURN.len());
    let mut worlds = Vec::new();
    for operation in operations {
        let world = if operation.path.starts_with("/settings/") {
            World::of(&operator, &system).await
        } else {
            World::new(&operator).await
        };
        // What works already is resumed without a change.
        if let Some(path) = operation.path.strip_suffix("/resume") {
            let path = format!("{path}/suspend").replace("{id}", world.id_for(operation));
            operator.post(&path, json!({})).await.expect(200);
        }
        worlds.push((operation, world));
    }
    let held = operator.issue(&system, json!({})).await;

    let mut log = stack.database.pool.begin().await.unwrap();
    let lock = sqlx::query("select 1 from event_log_head for update");
    lock.execute(&mut *log).await.unwrap();
    let asked = worlds.iter().map(async |(operation, world)| {
        let ask = async || Person::send(world.request(&person, operation)).await;
        let answer = until_busy(&operation.name(), ask).await;
        problem(&answer, 409, "BUSY");
        assert!(answer.header("retry-after").is_some());
    });
    let secret = text(&held, "token");
    let revoke = async || form(&api.nobody(), "/oauth/revoke", secret).await;
    let (_, revoked) = tokio::join!(join_all(asked), until_busy("/oauth/revoke", revoke));
    assert_eq!(revoked.expect(409)["error"], "temporarily_unavailable");
    assert!(revoked.header("retry-after").is_some());
    log.rollback().await.unwrap();
}
