//! What goes on while Postgres or NATS is away, and what comes back with it.

use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Answer, Node};
use tollkeeper_testkit::{FaultProxy, Stack, wait_for};

use crate::support::{forward_auth, path_of, problem, text, unsigned_problem, verify};

/// Waits until `/readyz` says this of the component.
async fn reported(node: &Node, component: &str, ready: bool) {
    wait_for(&format!("{component} to be ready: {ready}"), async || {
        let said = node.about_itself("/readyz").await.json();
        said["components"][component]["ready"] == ready
    })
    .await;
}

#[track_caller]
fn try_again_later(answer: &Answer) {
    problem(answer, 503, "UNAVAILABLE");
    let seconds = answer.header("retry-after").expect("when to try again");
    assert!(seconds.parse::<u32>().is_ok_and(|it| it > 0), "{seconds}");
}

/// Every kind of management request, each answered with a 503.
async fn management_waits(node: &Node, account: &str, token: &Value) {
    let operator = node.operator();
    let path = path_of(token);
    let issue = json!({ "name": "late", "account_id": account });
    let answers = tokio::join!(
        operator.get("/v1/tokens"),
        operator.get(&path),
        operator.post("/v1/tokens", issue),
        operator.delete(&path),
        operator.post("/v1/accounts", json!({})),
        operator.get("/v1/accounts"),
    );
    let (a, b, c, d, e, f) = answers;
    for answer in [a, b, c, d, e, f] {
        try_again_later(&answer);
        for inside in ["sqlx", "postgres", "connection", "pool", "127.0.0.1"] {
            assert!(!answer.text.contains(inside), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn known_tokens_pass_while_postgres_is_away() {
    let mut stack = Stack::bare().await;
    let proxy = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(proxy.address());
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let warm = operator.issue(&account, json!({})).await;
    let cold = operator.issue(&account, json!({})).await;
    assert_eq!(
        forward_auth(&api, text(&warm, "token"), "").await.status,
        200
    );

    proxy.cut();
    reported(&api, "postgres", false).await;
    // A balancer must not take the node away: it still knows whom to let through.
    let said = api.about_itself("/readyz").await;
    assert_eq!(said.status, 200, "{}", said.text);
    assert_eq!(api.about_itself("/livez").await.status, 200);
    management_waits(&api, &account, &warm).await;
    assert_eq!(
        forward_auth(&api, text(&warm, "token"), "").await.status,
        200
    );
    let told = verify(&operator, text(&warm, "token")).await;
    assert_eq!(
        (&told["code"], &told["cache"]),
        (&json!("VALID"), &json!("hit"))
    );
    // What was never read cannot be known, which is not the same as not being there.
    let told = verify(&operator, text(&cold, "token")).await;
    assert_eq!(
        (&told["valid"], &told["code"]),
        (&json!(false), &json!("UNAVAILABLE"))
    );
    let answer = forward_auth(&api, text(&cold, "token"), "").await;
    unsigned_problem(&answer, 503, "UNAVAILABLE");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(answer.header("x-tollkeeper-code"), Some("UNAVAILABLE"));
    let manager = api.bearer(text(&cold, "token")).get("/v1/tokens").await;
    try_again_later(&manager);

    proxy.resume();
    reported(&api, "postgres", true).await;
    api.ready().await;
    wait_for("the cold token to pass", async || {
        forward_auth(&api, text(&cold, "token"), "").await.status == 200
    })
    .await;
    wait_for("management to go on", async || {
        operator.get("/v1/tokens").await.status == 200
    })
    .await;
    assert_eq!(
        operator.delete(&path_of(&warm)).await.expect(200)["state"],
        "revoked"
    );
    let answer = forward_auth(&api, text(&warm, "token"), "").await;
    unsigned_problem(&answer, 401, "REVOKED");
}

#[tokio::test]
async fn management_does_not_wait_for_ever_for_a_silent_postgres() {
    let mut stack = Stack::bare().await;
    let proxy = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(proxy.address());
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    assert_eq!(
        forward_auth(&api, text(&token, "token"), "").await.status,
        200
    );

    proxy.pause();
    reported(&api, "postgres", false).await;
    management_waits(&api, &account, &token).await;
    assert_eq!(
        forward_auth(&api, text(&token, "token"), "").await.status,
        200
    );

    proxy.resume();
    reported(&api, "postgres", true).await;
    wait_for("management to go on", async || {
        operator.get("/v1/tokens").await.status == 200
    })
    .await;
    operator.account("crm-2").await;
}

#[tokio::test]
async fn everything_goes_on_while_nats_is_away() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let _ingestor = stack.ingestor(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;

    stack.nats.kill().await;
    reported(&api, "nats", false).await;
    assert_eq!(
        api.about_itself("/readyz").await.status,
        200,
        "it serves on"
    );
    let token = operator.issue(&account, json!({})).await;
    let (path, secret) = (path_of(&token), text(&token, "token"));
    for _ in 0..3 {
        assert_eq!(forward_auth(&api, secret, "").await.status, 200);
    }
    operator
        .post(&format!("{path}/suspend"), json!({}))
        .await
        .expect(200);
    assert_eq!(forward_auth(&api, secret, "").await.status, 401);

    stack.nats.restart().await;
    reported(&api, "nats", true).await;
    wait_for("what was spooled to be counted", async || {
        operator.get(&path).await.expect(200)["usage_count"] == 4
    })
    .await;
}

#[tokio::test]
async fn an_api_starts_before_its_servers() {
    let mut stack = Stack::bare().await;
    let postgres = FaultProxy::start(stack.database.tcp_address()).await;
    let nats = FaultProxy::start(stack.nats.address()).await;
    stack.database_through(postgres.address());
    stack.nats_through(nats.address());
    postgres.cut();
    nats.cut();

    let api = stack.starting_api(&[]);
    wait_for("the reasons to wait", async || {
        let said = api.about_itself("/readyz").await;
        let components = &said.json()["components"];
        let away = |name: &str| {
            components[name]["ready"] == false && components[name]["reason"].is_string()
        };
        let postgres = text(&components["postgres"], "reason").contains("Postgres is away");
        said.status == 503 && away("nats") && away("proof") && postgres
    })
    .await;
    assert_eq!(api.about_itself("/livez").await.status, 200);
    try_again_later(&api.operator().get("/v1/tokens").await);

    nats.resume();
    reported(&api, "nats", true).await;
    assert_eq!(
        api.about_itself("/readyz").await.status,
        503,
        "Postgres is still away"
    );
    postgres.resume();
    api.ready().await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;
    assert_eq!(
        forward_auth(&api, text(&token, "token"), "").await.status,
        200
    );
}

#[tokio::test]
async fn what_cannot_be_proven_for_too_long_is_denied_or_not_as_told() {
    let mut stack = Stack::bare().await;
    let proxy = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(proxy.address());
    let limit = ("TOLLKEEPER_STALE_LIMIT_SECONDS", "2");
    let denying = stack.api(&[limit]).await;
    let allowing = stack
        .api(&[limit, ("TOLLKEEPER_STALE_POLICY", "allow")])
        .await;
    let operator = denying.operator();
    let account = operator.account("crm-1").await;
    let (token, ended) = (
        operator.issue(&account, json!({})).await,
        operator.issue(&account, json!({})).await,
    );
    operator.delete(&path_of(&ended)).await.expect(200);
    let (token, ended) = (text(&token, "token"), text(&ended, "token"));
    for node in [&denying, &allowing] {
        assert_eq!(forward_auth(node, token, "").await.status, 200);
        assert_eq!(forward_auth(node, ended, "").await.status, 401);
    }

    proxy.cut();
    wait_for("the proof to be too old", async || {
        forward_auth(&denying, token, "").await.status == 503
    })
    .await;
    unsigned_problem(&forward_auth(&denying, token, "").await, 503, "UNAVAILABLE");
    reported(&denying, "proof", false).await;
    reported(&allowing, "postgres", false).await;
    for node in [&denying, &allowing] {
        let answer = forward_auth(node, ended, "").await;
        unsigned_problem(&answer, 401, "REVOKED");
    }
    wait_for("the other proof to be as old", async || {
        let told = verify(&allowing.operator(), token).await;
        assert_eq!(told["code"], "VALID");
        told["age_ms"].as_u64().unwrap() > 2000
    })
    .await;

    proxy.resume();
    wait_for("the token to pass again", async || {
        forward_auth(&denying, token, "").await.status == 200
    })
    .await;
}

/// Waits until a program of the stack waits for a lock.
async fn blocked(stack: &Stack) {
    wait_for("a write that waits for a lock", async || {
        let waiting = sqlx::query_scalar::<_, i64>(
            "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'",
        );
        waiting.fetch_one(&stack.database.pool).await.unwrap() > 0
    })
    .await;
}

#[tokio::test]
async fn a_log_that_somebody_holds_is_waited_for_but_not_for_ever() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let token = operator.issue(&account, json!({})).await;

    let mut held = stack.database.pool.begin().await.unwrap();
    let lock = sqlx::query("select 1 from event_log_head for update");
    lock.execute(&mut *held).await.unwrap();
    let path = path_of(&token);
    try_again_later(&operator.delete(&path).await);
    operator.get(&path).await.expect(200);
    assert_eq!(
        forward_auth(&api, text(&token, "token"), "").await.status,
        200
    );

    let (ended, ()) = tokio::join!(operator.delete(&path), async {
        blocked(&stack).await;
        held.rollback().await.unwrap();
    });
    assert_eq!(ended.expect(200)["state"], "revoked");
}

#[tokio::test]
async fn a_write_that_postgres_never_answers_keeps_nobody_for_ever() {
    let mut stack = Stack::bare().await;
    let proxy = FaultProxy::start(stack.database.tcp_address()).await;
    stack.database_through(proxy.address());
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let path = path_of(&operator.issue(&account, json!({})).await);

    let mut held = stack.database.pool.begin().await.unwrap();
    let lock = sqlx::query("select 1 from event_log_head for update");
    lock.execute(&mut *held).await.unwrap();
    let suspend = format!("{path}/suspend");
    let (under_way, next) = tokio::join!(operator.post(&suspend, json!({})), async {
        blocked(&stack).await;
        proxy.pause();
        held.rollback().await.unwrap();
        operator.post("/v1/accounts", json!({})).await
    });
    try_again_later(&under_way);
    try_again_later(&next);

    proxy.resume();
    wait_for("the write to have been made", async || {
        let read = operator.get(&path).await;
        read.status == 200 && read.json()["state"] == "suspended"
    })
    .await;
    operator.account("crm-2").await;
}
