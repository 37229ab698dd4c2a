//! What becomes of a request whose caller, process or connection dies on the way, and of one that
//! is sent again while the first is under way.

use futures::future::join_all;
use serde_json::Value;
use tokio::task::JoinHandle;
use tollkeeper_testkit::stack::Node;
use tollkeeper_testkit::{Stack, wait_for};

use super::gate::Gate;
use super::{answered, count, done, end_reservations, is_replayed, keyed, token_for};
use crate::support::{problem, text, verify};
use crate::webhooks::SEAL_KEY;

const PATH: &str = "/v1/tokens";

/// Waits until the answer is in the table, whoever is there to be told.
async fn kept(stack: &Stack) {
    wait_for("the answer to be kept", async || {
        count(stack, "idempotency_keys where status is not null").await == 1
    })
    .await;
}

#[tokio::test]
async fn of_twenty_at_once_one_makes_a_token() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&[SEAL_KEY]).await, stack.api(&[SEAL_KEY]).await);
    let (here, there) = (here.operator(), there.operator());
    let body = token_for(&here.account("crm-1").await);
    let answers = (0..20).map(|number| {
        let operator = if number % 2 == 0 { &here } else { &there };
        keyed(operator, PATH, "twenty", &body)
    });
    let answers = join_all(answers).await;
    let (made, waiting): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 201);
    assert!(!made.is_empty(), "nobody was answered");
    for answer in &made {
        assert_eq!(answer.text, made[0].text);
    }
    assert_eq!(made.iter().filter(|it| !is_replayed(it)).count(), 1);
    for answer in waiting {
        problem(answer, 409, "REQUEST_IN_FLIGHT");
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(count(&stack, "api_tokens").await, 1);
    let later = keyed(&there, PATH, "twenty", &body).await;
    assert_eq!(
        (later.status, &later.text, is_replayed(&later)),
        (201, &made[0].text, true)
    );
}

#[tokio::test]
async fn whoever_asks_while_the_first_is_under_way_does_not_wait() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&[SEAL_KEY]).await, stack.api(&[SEAL_KEY]).await);
    let (here, there) = (here.operator(), there.operator());
    let body = token_for(&here.account("crm-1").await);
    let gate = Gate::close(&stack).await;
    let first = tokio::spawn({
        let (here, body) = (here.clone(), body.clone());
        async move { keyed(&here, PATH, "slow", &body).await }
    });
    gate.reached().await;
    // The first one cannot go on before these are answered.
    for operator in [&here, &there] {
        let second = keyed(operator, PATH, "slow", &body).await;
        problem(&second, 409, "REQUEST_IN_FLIGHT");
        let mut other = body.clone();
        other["name"] = "other".into();
        let other = keyed(operator, PATH, "slow", &other).await;
        problem(&other, 422, "IDEMPOTENCY_KEY_REUSED");
    }
    gate.open().await;
    let first = first.await.unwrap();
    let later = answered(&there, PATH, "slow", &body).await;
    assert!(is_replayed(&later));
    // A slow machine may have given the first one up in the end.
    if first.status == 201 {
        assert_eq!(first.text, later.text);
    } else {
        problem(&first, 503, "UNAVAILABLE");
    }
    assert_eq!(count(&stack, "api_tokens").await, 1);
}

/// Asks somebody who will not live to answer.
fn ask_in_vain(here: &Node, body: &Value) -> JoinHandle<reqwest::Result<reqwest::Response>> {
    let request = here.operator().request(reqwest::Method::POST, PATH);
    let request = request.header("idempotency-key", "k").json(body);
    tokio::spawn(request.send())
}

#[tokio::test]
async fn a_process_that_dies_after_the_commit_has_kept_its_answer() {
    let mut stack = Stack::bare().await;
    let (mut here, there) = (stack.api(&[SEAL_KEY]).await, stack.api(&[SEAL_KEY]).await);
    let operator = there.operator();
    let body = token_for(&operator.account("crm-1").await);
    let gate = Gate::close(&stack).await;
    let lost = ask_in_vain(&here, &body);
    gate.reached().await;
    here.kill();
    assert!(lost.await.unwrap().is_err(), "nobody was answered");
    // The database does not know that nobody listens, and commits.
    gate.open().await;
    kept(&stack).await;

    let retried = keyed(&operator, PATH, "k", &body).await;
    let token = retried.expect(201);
    assert!(is_replayed(&retried));
    assert_eq!(retried.header("etag"), Some("\"1\""));
    assert_eq!(
        verify(&operator, text(&token, "token")).await["code"],
        "VALID"
    );
    assert_eq!(count(&stack, "api_tokens").await, 1);

    // And where it comes back, it knows the answer as well.
    here.restart();
    here.ready().await;
    let again = keyed(&here.operator(), PATH, "k", &body).await;
    assert_eq!((again.status, &again.text), (201, &retried.text));
}

#[tokio::test]
async fn a_process_that_dies_before_the_commit_leaves_a_reservation_that_ends() {
    let mut stack = Stack::bare().await;
    let (mut here, there) = (stack.api(&[SEAL_KEY]).await, stack.api(&[SEAL_KEY]).await);
    let operator = there.operator();
    let body = token_for(&operator.account("crm-1").await);
    let gate = Gate::close(&stack).await;
    let lost = ask_in_vain(&here, &body);
    gate.reached().await;
    here.kill();
    assert!(lost.await.unwrap().is_err(), "nobody was answered");
    gate.end_whoever_waits().await;
    wait_for("the writing to be undone", async || {
        let free = "select from idempotency_keys where status is null for update skip locked";
        let free = sqlx::query(free).fetch_all(&stack.database.pool).await;
        free.unwrap().len() == 1
    })
    .await;
    assert_eq!(count(&stack, "api_tokens").await, 0);

    // Seconds from now by itself.
    let soon = "update idempotency_keys set reserved_until = 'epoch'
        where reserved_until < clock_timestamp() + interval '15 seconds'";
    assert_eq!(done(&stack, soon).await, 1);
    let retried = keyed(&operator, PATH, "k", &body).await;
    retried.expect(201);
    assert!(!is_replayed(&retried));
    assert_eq!(count(&stack, "api_tokens").await, 1);
    let again = keyed(&operator, PATH, "k", &body).await;
    assert_eq!((again.status, &again.text), (201, &retried.text));
}

#[tokio::test]
async fn a_caller_who_hangs_up_finds_the_answer_later() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[SEAL_KEY]).await;
    let operator = api.operator();
    let body = token_for(&operator.account("crm-1").await);
    let gate = Gate::close(&stack).await;
    let lost = tokio::spawn({
        let (operator, body) = (operator.clone(), body.clone());
        async move { keyed(&operator, PATH, "k", &body).await }
    });
    gate.reached().await;
    lost.abort();
    assert!(lost.await.unwrap_err().is_cancelled());
    gate.open().await;
    kept(&stack).await;
    let retried = keyed(&operator, PATH, "k", &body).await;
    retried.expect(201);
    assert!(is_replayed(&retried));
    assert_eq!(count(&stack, "api_tokens").await, 1);
}

#[tokio::test]
async fn a_connection_that_dies_before_the_commit_leaves_the_key_free() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[SEAL_KEY]).await;
    let operator = api.operator();
    let body = token_for(&operator.account("crm-1").await);
    let gate = Gate::close(&stack).await;
    let failed = tokio::spawn({
        let (operator, body) = (operator.clone(), body.clone());
        async move { keyed(&operator, PATH, "k", &body).await }
    });
    gate.reached().await;
    gate.end_whoever_waits().await;
    problem(&failed.await.unwrap(), 503, "UNAVAILABLE");
    wait_for("the key to be given up", async || {
        count(&stack, "idempotency_keys").await == 0
    })
    .await;
    let retried = keyed(&operator, PATH, "k", &body).await;
    retried.expect(201);
    assert!(!is_replayed(&retried));
    assert_eq!(count(&stack, "api_tokens").await, 1);
}

#[tokio::test]
async fn whoever_has_lost_the_key_makes_nothing() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[SEAL_KEY]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    // What a process does that takes over, while this one is frozen before its append.
    sqlx::raw_sql(
        "create function taken_over() returns trigger language plpgsql as $$
        begin
            update idempotency_keys set holder = gen_random_uuid();
            return new;
        end
        $$;
        create trigger taken_over before insert on events
            for each row execute function taken_over();
        create trigger taken_over before insert on webhooks
            for each row execute function taken_over();",
    )
    .execute(&stack.database.pool)
    .await
    .unwrap();
    for (path, body) in [
        (PATH, token_for(&account)),
        (
            "/v1/webhooks",
            serde_json::json!({ "url": "https://hooks.example.com/", "account_id": account }),
        ),
    ] {
        let late = keyed(&operator, path, path, &body).await;
        problem(&late, 409, "REQUEST_IN_FLIGHT");
    }
    assert_eq!(count(&stack, "api_tokens").await, 0);
    assert_eq!(count(&stack, "webhooks").await, 0);
    let answers = count(&stack, "idempotency_keys where status is not null").await;
    assert_eq!(answers, 0);
}

#[tokio::test]
async fn a_reservation_holds_until_its_time_is_over() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[SEAL_KEY]).await;
    let operator = api.operator();
    let body = token_for(&operator.account("crm-1").await);
    keyed(&operator, PATH, "k", &body).await.expect(201);
    // As its holder leaves it that dies before the commit.
    let reserved = "update idempotency_keys set status = null, headers = null, body = null,
        sealed = null, sealed_until = null, secret_member = null,
        reserved_until = clock_timestamp() + interval '1 hour'";
    assert_eq!(done(&stack, reserved).await, 1);
    let early = keyed(&operator, PATH, "k", &body).await;
    problem(&early, 409, "REQUEST_IN_FLIGHT");
    end_reservations(&stack).await;
    // Then also for another request.
    let mut other = body.clone();
    other["name"] = "other".into();
    assert_eq!(
        keyed(&operator, PATH, "k", &other).await.expect(201)["name"],
        "other"
    );
    let late = keyed(&operator, PATH, "k", &body).await;
    problem(&late, 422, "IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test]
async fn whoever_is_just_reserving_the_key_is_not_waited_for() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[SEAL_KEY]).await;
    let operator = api.operator();
    let body = token_for(&operator.account("crm-1").await);
    let mut frozen = stack.database.pool.begin().await.unwrap();
    let reserved = "insert into idempotency_keys values ('operator:test', 'POST /v1/tokens', 'k',
        sha256('f'), gen_random_uuid(), clock_timestamp() + interval '1 hour', null, null, null,
        null, null, clock_timestamp())";
    sqlx::query(reserved).execute(&mut *frozen).await.unwrap();
    let second = keyed(&operator, PATH, "k", &body).await;
    problem(&second, 409, "REQUEST_IN_FLIGHT");
    frozen.rollback().await.unwrap();
    keyed(&operator, PATH, "k", &body).await.expect(201);
}
