//! `/v1/tokens/bulk-revoke`

use futures::future::join_all;
use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Answer, Person};
use tollkeeper_testkit::{Stack, wait_for};
use uuid::Uuid;

use crate::support::{bad_fields, manager, path_of, problem, text, verify, while_held};

const PATH: &str = "/v1/tokens/bulk-revoke";

async fn plan(person: &Person, filter: &Value) -> Value {
    let body = json!({ "dry_run": true, "filter": filter, "reason": "superseded" });
    person.post(PATH, body).await.expect(201)
}

async fn run(person: &Person, plan: &Value, filter: &Value) -> Answer {
    let body = json!({ "dry_run": false, "plan_id": plan["id"], "filter": filter });
    person.post(PATH, body).await
}

async fn progress(person: &Person, plan: &Value) -> Value {
    let path = format!("{PATH}/{}", text(plan, "id"));
    person.get(&path).await.expect(200)
}

/// pending, revoked, already revoked
fn counts(job: &Value) -> [i64; 3] {
    ["pending", "revoked", "already_revoked"].map(|name| job[name].as_i64().unwrap())
}

async fn tokens_of(operator: &Person, account: &str, fields: Value, many: usize) -> Vec<Value> {
    join_all((0..many).map(|_| operator.issue(account, fields.clone()))).await
}

#[tokio::test]
async fn a_plan_fixes_the_tokens_and_its_run_revokes_them() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (one, other) = (
        operator.account("crm-1").await,
        operator.account("crm-2").await,
    );
    let tokens = tokens_of(&operator, &one, json!({ "scopes": ["a"] }), 7).await;
    let kept = operator.issue(&one, json!({ "scopes": ["b"] })).await;
    let foreign = operator.issue(&other, json!({ "scopes": ["a"] })).await;
    operator.delete(&path_of(&tokens[0])).await.expect(200);

    let filter = json!({ "account_id": one, "scope": "a" });
    let planned = plan(&operator, &filter).await;
    assert_eq!(
        (&planned["state"], &planned["count"], &planned["reason"]),
        (&json!("planned"), &json!(6), &json!("superseded"))
    );
    assert_eq!(counts(&planned), [6, 0, 0]);
    let sample = planned["sample"].as_array().unwrap();
    assert_eq!(sample.len(), 5);
    assert!(sample.iter().all(|token| token["scopes"] == json!(["a"])));
    assert!(planned["expires_at"].is_string());
    let state = operator.get(&path_of(&tokens[1])).await.expect(200);
    assert_eq!(state["state"], "active", "a dry run revokes nothing");

    // Somebody is faster with one; another changes so that it would not match now, and a new one
    // would match.
    operator.delete(&path_of(&tokens[1])).await.expect(200);
    let changed = json!({ "scopes": ["c"] });
    operator
        .patch(&path_of(&tokens[2]), changed)
        .await
        .expect(200);
    let late = operator.issue(&one, json!({ "scopes": ["a"] })).await;

    let request = operator.request(reqwest::Method::POST, PATH);
    let body = json!({ "dry_run": false, "plan_id": planned["id"], "filter": filter });
    let request = request.header("x-request-id", "the-run").json(&body);
    let done = Person::send(request).await.expect(200);
    assert_eq!(done["state"], "done");
    assert_eq!(counts(&done), [0, 5, 1]);
    assert_eq!(progress(&operator, &planned).await, done);
    let again = run(&operator, &planned, &filter).await;
    assert_eq!(again.expect(200), done, "once is enough");

    for token in &tokens[2..] {
        let told = verify(&operator, text(token, "token")).await;
        assert_eq!(told["code"], "REVOKED");
        let token = operator.get(&path_of(token)).await.expect(200);
        assert_eq!(token["revocation_reason"], "superseded");
    }
    for token in [&kept, &foreign, &late] {
        assert_eq!(
            verify(&operator, text(token, "token")).await["code"],
            "VALID"
        );
    }
    let caused = "select count(*) from events where type = 'TokenRevoked'
        and request_id = 'the-run' and actor = 'operator:test'";
    let caused: i64 = sqlx::query_scalar(caused)
        .fetch_one(&stack.database.pool)
        .await
        .unwrap();
    assert_eq!(caused, 5);
}

#[tokio::test]
async fn what_cannot_be_revoked_in_bulk_is_refused() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let scope = json!({ "scope": "a" });
    let id = Uuid::nil();
    for (body, pointers) in [
        (json!({ "dry_run": true, "filter": {} }), vec!["/filter"]),
        (
            json!({ "dry_run": true, "filter": { "all": true, "scope": "a" } }),
            vec!["/filter/all"],
        ),
        (
            json!({ "dry_run": true, "filter": { "color": "red" } }),
            vec!["/filter/color"],
        ),
        (
            json!({ "dry_run": true, "filter": { "search": "a\u{0}" } }),
            vec!["/filter/search"],
        ),
        (
            json!({ "dry_run": true, "filter": { "state": "tired" } }),
            vec!["/filter/state"],
        ),
        (
            json!({ "dry_run": true, "filter": { "expires_before": "soon" } }),
            vec!["/filter/expires_before"],
        ),
        (
            json!({ "dry_run": true, "filter": {
                "last_used_after": "2026-01-02T00:00:00Z",
                "last_used_before": "2026-01-01T00:00:00Z",
            } }),
            vec!["/filter/last_used_before"],
        ),
        (
            json!({ "dry_run": true, "filter": scope, "reason": "account_deleted" }),
            vec!["/reason"],
        ),
        (
            json!({ "dry_run": true, "filter": scope, "plan_id": id }),
            vec!["/plan_id"],
        ),
        (
            json!({ "dry_run": false, "filter": scope }),
            vec!["/plan_id"],
        ),
    ] {
        bad_fields(&operator.post(PATH, body).await, &pointers);
    }
    let unknown = json!({ "id": id });
    problem(&run(&operator, &unknown, &scope).await, 404, "NOT_FOUND");
    let path = format!("{PATH}/{id}");
    problem(&operator.get(&path).await, 404, "NOT_FOUND");
    let nobody = api.nobody();
    problem(&nobody.get(&path).await, 401, "UNAUTHENTICATED");
    problem(
        &run(&nobody, &unknown, &scope).await,
        401,
        "UNAUTHENTICATED",
    );
    let plain = operator.issue(&account, json!({})).await;
    let plain = api.bearer(text(&plain, "token"));
    problem(
        &run(&plain, &unknown, &scope).await,
        403,
        "INSUFFICIENT_SCOPE",
    );
    problem(&plain.get(&path).await, 403, "INSUFFICIENT_SCOPE");

    let planned = plan(&operator, &scope).await;
    bad_fields(
        &run(&operator, &planned, &json!({ "scope": "b" })).await,
        &["/filter"],
    );
    let body = json!({ "dry_run": false, "plan_id": planned["id"], "filter": scope,
        "reason": "leaked" });
    bad_fields(&operator.post(PATH, body).await, &["/reason"]);
    sqlx::query("update revocation_jobs set expires_at = now() - interval '1 second'")
        .execute(&stack.database.pool)
        .await
        .unwrap();
    let late = run(&operator, &planned, &scope).await;
    problem(&late, 409, "PLAN_EXPIRED");
}

#[tokio::test]
async fn callers_reach_the_tokens_of_their_own_account() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (one, other) = (
        operator.account("crm-1").await,
        operator.account("crm-2").await,
    );
    let mine = operator.issue(&one, json!({ "scopes": ["a"] })).await;
    let foreign = operator.issue(&other, json!({ "scopes": ["a"] })).await;
    let holder = manager(&operator, &one, &[]).await;
    let holder = api.bearer(text(&holder, "token"));
    let stranger = manager(&operator, &other, &[]).await;
    let stranger = api.bearer(text(&stranger, "token"));

    let filter = json!({ "scope": "a" });
    let planned = plan(&holder, &filter).await;
    assert_eq!(planned["count"], 1);
    problem(&run(&stranger, &planned, &filter).await, 404, "NOT_FOUND");
    let path = format!("{PATH}/{}", text(&planned, "id"));
    problem(&stranger.get(&path).await, 404, "NOT_FOUND");
    let body = json!({ "dry_run": true, "filter": { "account_id": other } });
    bad_fields(&holder.post(PATH, body).await, &["/filter/account_id"]);
    let done = run(&holder, &planned, &filter).await.expect(200);
    assert_eq!(counts(&done), [0, 1, 0]);
    assert_eq!(progress(&operator, &planned).await, done);
    let codes = [
        verify(&operator, text(&mine, "token")).await["code"].clone(),
        verify(&operator, text(&foreign, "token")).await["code"].clone(),
    ];
    assert_eq!(codes, ["REVOKED", "VALID"]);

    let everything = json!({ "all": true });
    let planned = plan(&stranger, &everything).await;
    assert_eq!(planned["count"], 2, "its own among them");
}

#[tokio::test]
async fn a_run_that_takes_long_goes_on_in_the_background() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let filter = json!({ "account_id": account });
    // Once more where the log has not waited so long.
    let (under_way, planned) = loop {
        let token = operator.issue(&account, json!({})).await;
        let planned = plan(&operator, &filter).await;
        let answer = while_held(&stack, &token, run(&operator, &planned, &filter)).await;
        if answer.status != 503 {
            break (answer.expect(202), planned);
        }
    };
    assert_eq!(under_way["state"], "running");
    wait_for("the run to be done", async || {
        progress(&operator, &planned).await["state"] == "done"
    })
    .await;
}

#[tokio::test]
async fn a_run_goes_on_whatever_process_dies_and_does_the_work_once() {
    let mut stack = Stack::bare().await;
    let (mut here, mut there) = (stack.api(&[]).await, stack.api(&[]).await);
    let operator = here.operator();
    let account = operator.account("crm-1").await;
    tokens_of(&operator, &account, json!({}), 900).await;
    let filter = json!({ "all": true });
    let planned = plan(&operator, &filter).await;
    assert_eq!(planned["count"], 900);

    // Several run it at once, and both processes die before anybody has to be told.
    let (one, other) = (here.operator(), there.operator());
    let asked = [&one, &other, &one, &other].map(|operator| {
        let body = json!({ "dry_run": false, "plan_id": planned["id"], "filter": filter });
        operator.request(reqwest::Method::POST, PATH).json(&body)
    });
    let asking = tokio::spawn(join_all(asked.map(Person::try_send)));
    let pool = &stack.database.pool;
    let revoked = async || -> i64 {
        let count = "select count(*) from events where type = 'TokenRevoked'";
        sqlx::query_scalar(count).fetch_one(pool).await.unwrap()
    };
    wait_for("the run to begin", async || revoked().await > 0).await;
    here.kill();
    there.kill();
    asking.await.unwrap();
    here.restart();
    there.restart();
    here.ready().await;
    there.ready().await;
    wait_for("the run to be done", async || {
        progress(&one, &planned).await["state"] == "done"
    })
    .await;
    assert_eq!(counts(&progress(&other, &planned).await), [0, 900, 0]);
    assert_eq!(revoked().await, 900, "each of them once");
    let done = run(&one, &planned, &filter).await.expect(200);
    assert_eq!(counts(&done), [0, 900, 0]);
}

#[tokio::test]
async fn the_oldest_plans_make_room() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let own = manager(&operator, &account, &[]).await;
    let own = api.bearer(text(&own, "token"));
    let filter = json!({ "scope": "a" });
    let of_operator = plan(&operator, &filter).await;
    let mut plans = Vec::new();
    for _ in 0..21 {
        plans.push(plan(&own, &filter).await);
    }
    let path = |plan: &Value| format!("{PATH}/{}", text(plan, "id"));
    problem(&own.get(&path(&plans[0])).await, 404, "NOT_FOUND");
    for kept in &plans[1..] {
        own.get(&path(kept)).await.expect(200);
    }
    operator.get(&path(&of_operator)).await.expect(200);
}
