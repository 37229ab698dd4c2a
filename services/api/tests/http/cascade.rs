//! `DELETE /v1/tokens/{id}?cascade=true`

use std::sync::atomic::{AtomicBool, Ordering};

use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::stack::{Node, Person};
use tollkeeper_testkit::{Stack, wait_for};

use crate::support::{manager, path_of, problem, text, verify, while_held, with_header};

/// A token that `issuer` issues and that can issue others.
async fn child(node: &Node, issuer: &Value) -> Value {
    let person = node.bearer(text(issuer, "token"));
    let account = text(issuer, "account_id");
    let scopes = ["tollkeeper:tokens.read", "tollkeeper:tokens.write"];
    person.issue(account, json!({ "scopes": scopes })).await
}

async fn code(operator: &Person, token: &Value) -> String {
    let told = verify(operator, text(token, "token")).await;
    text(&told, "code").to_owned()
}

fn cascading(token: &Value) -> String {
    format!("{}?cascade=true&reason=key_compromise", path_of(token))
}

async fn live(stack: &Stack) -> i64 {
    let count = "select count(*) from api_tokens where state <> 'revoked'";
    sqlx::query_scalar(count)
        .fetch_one(&stack.database.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn all_that_descend_from_a_token_are_revoked_with_it() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let root = manager(&operator, &account, &[]).await;
    let (left, right) = (child(&api, &root).await, child(&api, &root).await);
    let (leaf, lost) = (child(&api, &left).await, child(&api, &right).await);
    let bystander = manager(&operator, &account, &[]).await;
    // What is revoked in the middle does not hide what comes after it.
    operator.delete(&path_of(&right)).await.expect(200);
    assert_eq!(code(&operator, &lost).await, "VALID");

    let seen = ("if-match", "\"9\"");
    let late = with_header(&operator, Method::DELETE, &cascading(&root), seen, None).await;
    problem(&late, 412, "VERSION_MISMATCH");
    let bad = operator
        .delete(&format!("{}?cascade=perhaps", path_of(&root)))
        .await;
    problem(&bad, 400, "INVALID_QUERY");
    assert_eq!(code(&operator, &root).await, "VALID", "nothing has begun");
    let nothing: i64 = sqlx::query_scalar("select count(*) from revocation_jobs")
        .fetch_one(&stack.database.pool)
        .await
        .unwrap();
    assert_eq!(nothing, 0);

    let plain = operator.delete(&path_of(&bystander)).await.expect(200);
    assert!(plain.get("cascade").is_none(), "{plain}");
    let answer = operator.delete(&cascading(&root)).await;
    let revoked = answer.expect(200);
    assert_eq!(revoked["state"], "revoked");
    assert_eq!(
        (
            &revoked["cascade"]["revoked"],
            &revoked["cascade"]["pending"]
        ),
        (&json!(3), &json!(0))
    );
    for token in [&root, &left, &leaf, &lost] {
        assert_eq!(code(&operator, token).await, "REVOKED");
        let token = operator.get(&path_of(token)).await.expect(200);
        assert_eq!(token["revocation_reason"], "key_compromise");
    }
    let job = text(&revoked["cascade"], "job_id");
    let job = operator.get(&format!("/v1/tokens/bulk-revoke/{job}")).await;
    let job = job.expect(200);
    assert_eq!(
        (&job["state"], &job["root_id"], &job["count"]),
        (&json!("done"), &root["id"], &json!(3))
    );
    let again = operator.delete(&cascading(&root)).await.expect(200);
    assert_eq!(again["cascade"]["revoked"], 0, "nothing is left");
}

#[tokio::test]
async fn a_cascade_stays_within_the_callers_reach() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let (one, other) = (
        operator.account("crm-1").await,
        operator.account("crm-2").await,
    );
    let holder = manager(&operator, &one, &[]).await;
    let root = manager(&operator, &one, &[]).await;
    let mine = child(&api, &root).await;
    let foreign = manager(&operator, &other, &[]).await;
    // As a token of an account that used to act across accounts may have issued it.
    sqlx::query("update api_tokens set issued_by = $1 where id = $2")
        .bind(text(&root, "id").parse::<uuid::Uuid>().unwrap())
        .bind(text(&foreign, "id").parse::<uuid::Uuid>().unwrap())
        .execute(&stack.database.pool)
        .await
        .unwrap();
    let holder = api.bearer(text(&holder, "token"));
    problem(&holder.delete(&cascading(&foreign)).await, 404, "NOT_FOUND");
    let revoked = holder.delete(&cascading(&root)).await.expect(200);
    assert_eq!(revoked["cascade"]["revoked"], 1);
    assert_eq!(code(&operator, &mine).await, "REVOKED");
    assert_eq!(code(&operator, &foreign).await, "VALID");
}

#[tokio::test]
async fn no_child_escapes_that_is_issued_meanwhile() {
    let mut stack = Stack::bare().await;
    let (here, there) = (stack.api(&[]).await, stack.api(&[]).await);
    let operator = here.operator();
    let account = operator.account("crm-1").await;
    let root = manager(&operator, &account, &[]).await;
    let mut issuers = Vec::new();
    for _ in 0..4 {
        issuers.push(child(&here, &root).await);
    }
    let begun = AtomicBool::new(false);
    let fields = json!({ "account_id": account, "name": "late" });
    // Each issues on both APIs until it is refused, and some of its children are on their way
    // while the cascade passes.
    let issuing = issuers.iter().flat_map(|issuer| {
        [&here, &there].map(|node| {
            let person = node.bearer(text(issuer, "token"));
            let (begun, fields) = (&begun, &fields);
            async move {
                loop {
                    let answer = person.post("/v1/tokens", fields.clone()).await;
                    if answer.status != 201 {
                        problem(&answer, 401, "REVOKED");
                        return;
                    }
                    begun.store(true, Ordering::Relaxed);
                }
            }
        })
    });
    let issuing = futures::future::join_all(issuing);
    let ending = async {
        wait_for("the first child", async || begun.load(Ordering::Relaxed)).await;
        let answer = operator.delete(&cascading(&root)).await;
        assert!(matches!(answer.status, 200 | 202), "{}", answer.text);
    };
    tokio::join!(issuing, ending);
    wait_for("the cascade to end", async || {
        let running = "select count(*) from revocation_jobs where state <> 'done'";
        let running: i64 = sqlx::query_scalar(running)
            .fetch_one(&stack.database.pool)
            .await
            .unwrap();
        running == 0
    })
    .await;
    assert_eq!(live(&stack).await, 0, "nobody is left");
}

#[tokio::test]
async fn a_cascade_that_takes_long_goes_on_in_the_background() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    for own in [false, true] {
        // Once more where the log has not waited so long.
        let (under_way, leaf) = loop {
            let root = manager(&operator, &account, &[]).await;
            let leaf = child(&api, &root).await;
            let caller = manager(&operator, &account, &[]).await;
            let caller = api.bearer(text(&caller, "token"));
            let mut path = cascading(&root);
            if own {
                path = path.replace("/v1/tokens/", "/settings/api-tokens/");
            }
            let answer = while_held(&stack, &leaf, caller.delete(&path)).await;
            if answer.status != 503 {
                break (answer.expect(202), leaf);
            }
        };
        assert_eq!(under_way["state"], "revoked");
        wait_for("the leaf to be revoked", async || {
            code(&operator, &leaf).await == "REVOKED"
        })
        .await;
        let job = text(&under_way["cascade"], "job_id");
        let path = format!("/v1/tokens/bulk-revoke/{job}");
        wait_for("the cascade to be done", async || {
            operator.get(&path).await.expect(200)["state"] == "done"
        })
        .await;
    }
}

#[tokio::test]
async fn a_cascade_goes_on_where_its_process_died() {
    let mut stack = Stack::bare().await;
    let (mut here, there) = (stack.api(&[]).await, stack.api(&[]).await);
    let operator = here.operator();
    let account = operator.account("crm-1").await;
    let root = manager(&operator, &account, &[]).await;
    let issuer = child(&here, &root).await;
    // Each is a client of its own, which takes a while to make.
    let many = stream::iter((0..700).map(|_| child(&here, &issuer)));
    assert_eq!(many.buffer_unordered(50).count().await, 700);
    assert_eq!(live(&stack).await, 702);

    let request = operator.request(Method::DELETE, &cascading(&root));
    let asking = tokio::spawn(Person::try_send(request));
    wait_for("the root to be revoked", async || live(&stack).await < 702).await;
    here.kill();
    asking.await.unwrap();
    wait_for("the other process to go on", async || {
        live(&stack).await == 0
    })
    .await;
    let events = "select count(*), count(distinct stream_id) from events
        where type = 'TokenRevoked'";
    let events: (i64, i64) = sqlx::query_as(events)
        .fetch_one(&stack.database.pool)
        .await
        .unwrap();
    assert_eq!(events, (702, 702), "each of them once");
    let again = there.operator().delete(&cascading(&root)).await;
    assert_eq!(again.expect(200)["cascade"]["pending"], 0);
}

#[tokio::test]
async fn secrets_that_a_token_was_given_by_rotation_go_with_it() {
    let mut stack = Stack::bare().await;
    let api = stack.api(&[]).await;
    let operator = api.operator();
    let account = operator.account("crm-1").await;
    let leaked = manager(&operator, &account, &[]).await;
    let thief = api.bearer(text(&leaked, "token"));
    let rotate = async |person: &Person, token: &Value| {
        let path = format!("{}/rotate", path_of(token));
        person.post(&path, json!({})).await.expect(200)
    };
    let fields = json!({
        "scopes": ["tollkeeper:tokens.write", "tollkeeper:tokens.read"],
        "expires_in_minutes": 120,
    });
    let taken = operator.issue(&account, fields).await;
    let taken = rotate(&thief, &taken).await;
    // With what it was given it goes on.
    let soon = json!({ "expires_in_minutes": 60 });
    let further = operator.issue(&account, soon.clone()).await;
    let further = rotate(&api.bearer(text(&taken, "token")), &further).await;
    // This one has a newer secret, which the thief has never seen.
    let healed = operator.issue(&account, soon).await;
    rotate(&thief, &healed).await;
    let healed = rotate(&operator, &healed).await;

    operator.delete(&cascading(&leaked)).await.expect(200);
    for token in [&leaked, &taken, &further] {
        assert_eq!(code(&operator, token).await, "REVOKED");
    }
    assert_eq!(code(&operator, &healed).await, "VALID");
}
